"""How much work a payload may ask for: tokens and lanes in proportion to its bytes.

    payload bytes ≥ max(⌈tokens / a⌉ − 4, lanes − 16)          a: `FrameRules.tokens_per_byte`, at most TOKENS_A_BYTE

Without a bound, a frame of 22 bytes could tell 2^26 tokens in thousands of lanes and keep a decoder busy for minutes before its words run
out: expected symbols cost next to nothing. Real data hardly ever meets the bound. Where it would (long repetitions), the encoder appends
zero bytes: a decoder reads zeros behind the end anyway, so they change nothing.
"""

from ..errors import ChecksumError

#: Most tokens for each payload byte, for any prior. Context mixing stays below it, at 11,360: a byte takes 8 decisions of at least
#: −log2(1 − 4 / 2^16) bits. So its payloads are never padded.
TOKENS_A_BYTE = 1 << 14
#: bytes that the coder's state stands for beyond the words written
FREE_BYTES = 4
#: lanes that a payload of no bytes may have; a lane takes up to half a megabyte in a decoder
FREE_LANES = 16


def least_payload(tokens: int, lanes: int, tokens_per_byte: int = TOKENS_A_BYTE) -> int:
    """Bytes of the shortest payload for so many tokens in so many lanes.

    >>> least_payload(1024, 16, 256), least_payload(1025, 16, 256), least_payload(1025, 128, 256)
    (0, 1, 112)
    """
    return max(0, -(-tokens // min(tokens_per_byte, TOKENS_A_BYTE)) - FREE_BYTES, lanes - FREE_LANES)


def padded(payload: bytes, tokens: int, lanes: int, tokens_per_byte: int) -> bytes:
    """The payload, with zeros behind it where it is shorter than `least_payload`."""
    return payload.ljust(least_payload(tokens, lanes, tokens_per_byte), b"\0")


def check(payload: bytes, tokens: int, lanes: int, tokens_per_byte: int) -> None:
    """Raises ChecksumError where the payload is too short for what it is said to hold."""
    if len(payload) < least_payload(tokens, lanes, tokens_per_byte):
        raise ChecksumError(
            f"a payload of {len(payload):,} bytes does not hold {tokens:,} tokens in {lanes:,} lanes: they end before the tokens do"
        )
