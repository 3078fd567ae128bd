"""Bitwise coding of tokens in the core (core/bitwise.c), which mixes the prediction of `text.Text` with others, bit by bit.

The twin is `priors.text.bitwise`. Nothing here imports numpy.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from . import library
from .handle import COUNT, POINTER, Handle
from .text import Model, Text

#: `BitwiseFrame.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
#: 2^16 / temperature, at most
SHARPEST = 1 << 32


#: bytes of a token, at most
LONGEST = 32


def are_spelled(token_bytes: Sequence[bytes]) -> bool:
    """Whether the tokens are different strings of 1 to `LONGEST` bytes."""
    return len(set(token_bytes)) == len(token_bytes) and all(1 <= len(token) <= LONGEST for token in token_bytes)


class TokenTable:
    """The bytes of all tokens in the core's layout. symbols, token_bytes [V]: the symbol at each place, and its bytes. Places are those of
    the classes where the model is class-factored.

    Raises ValueError if two tokens have the same bytes, or a token has not 1 to 32 bytes."""

    def __init__(self, symbols: Sequence[int], token_bytes: Sequence[bytes]) -> None:
        if not are_spelled(token_bytes):
            raise ValueError(f"bitwise coding needs tokens that are different strings of 1 to {LONGEST} bytes")
        sizes = [len(token) for token in token_bytes]
        self.symbols = (ctypes.c_int32 * len(symbols))(*symbols)
        self.sizes = (ctypes.c_int32 * len(sizes))(*sizes)
        self.bytes = b"".join(token_bytes)


class BitwiseFrame(Handle):
    """The state of one frame of `tokens` tokens in `lanes` lanes."""

    kind = "bitwise"

    def __init__(
        self,
        model: Model,
        token_bytes: TokenTable,
        lanes: int,
        tokens: int,
        threads: int = 1,
        using: str | None = None,
        free: Callable[[], int] | None = None,
    ) -> None:
        self.text = Text(model, lanes, tokens, threads, using, free)
        self.create(  # freed before the text model
            [*[POINTER] * 4, COUNT],
            self.text.pointer, token_bytes.symbols, token_bytes.sizes, token_bytes.bytes, len(token_bytes.bytes),
            using=using,
        )  # fmt: skip

    def learn(self, tokens: Any) -> None:
        """Read a context (`Text.learn`)."""
        self.text.learn(tokens, self)

    def save(self) -> None:
        """Remember the state after the context. `restore` goes back to it, as often as it is wanted."""
        self.text.save(self)

    def restore(self) -> None:
        self.text.restore(self)

    def encode(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> bytes:
        """The payload of tokens, N int32, contiguous. Calls `report` with the number of coded tokens. Raises CoreError for
        symbols outside V."""
        pointer = self.text.token_pointer(tokens)
        self.text.in_blocks(lambda steps: self.call("encode", [POINTER, COUNT], pointer, steps), report)
        return self.text.finish()

    def score(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> Any:
        """The cost of each of N tokens, N int64 in units of 2^-20 bits."""
        pointer, costs = self.text.token_pointer(tokens), (ctypes.c_int64 * self.text.tokens)()
        kinds = [POINTER, COUNT, POINTER]
        self.text.in_blocks(lambda steps: self.call("score", kinds, pointer, steps, costs), report)
        return costs if not self.text.first else costs[self.text.first : self.text.stop]

    def start(self, payload: bytes) -> None:
        """Set the payload that `decode` reads."""
        self.text.start(payload)

    def decode(self, out: Any, steps: int, sharpness: int = 1 << 16) -> None:
        """Write the next steps to out, lanes · steps int32. Cells without a token keep their value. sharpness: 2^16 /
        temperature if the payload is noise. Raises ChecksumError if the payload is damaged."""
        target, size = library.writable(out)
        if size != 4 * self.text.lanes * steps:
            raise ValueError(
                f"{steps} steps of {self.text.lanes} lanes need {4 * self.text.lanes * steps} bytes, not {size}"
            )
        self.text.share()
        self.call("decode", [POINTER, COUNT, COUNT], target, steps, sharpness)
        self.text.advance(steps)
