"""Sources of several kinds in one sequence: a caption and its picture, a recording and its transcript.

    kind · length · payload · kind · length · payload …      kind: a byte; length: 4 bytes, little-endian

The tokenizer `segments` has a tokenizer for each kind and one vocabulary for all, so one prior models the whole sequence.
"""

from collections.abc import Iterable, Iterator

from ..errors import TokenizerError

HEAD = 5
MAX_KINDS = 16


def join(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """
    >>> join([(0, b"seven"), (1, b"pixels")])
    b'\\x00\\x05\\x00\\x00\\x00seven\\x01\\x06\\x00\\x00\\x00pixels'
    """
    return b"".join(bytes([kind]) + len(data).to_bytes(HEAD - 1, "little") + data for kind, data in parts)


def split(source: bytes, kinds: int) -> Iterator[tuple[int, bytes]]:
    """The reverse of `join`. Raises TokenizerError if the source is no sequence of segments of these kinds."""
    at = 0
    while at < len(source):
        size = int.from_bytes(source[at + 1 : at + HEAD], "little")
        if source[at] >= kinds or at + HEAD + size > len(source):
            raise TokenizerError(f"at byte {at:,}: no segment of {kinds} kinds begins here")
        yield source[at], source[at + HEAD : at + HEAD + size]
        at += HEAD + size


def complete(source: bytes, kinds: int) -> int:
    """Length without an incomplete segment at the end; all bytes if the source holds no such segment.

    >>> complete(join([(0, b"seven"), (1, b"pixels")])[:-1], 2), complete(b"a text", 2)
    (10, 6)
    """
    at = 0
    while at < len(source):
        size = int.from_bytes(source[at + 1 : at + HEAD], "little")
        if source[at] >= kinds:
            return len(source)
        if at + HEAD > len(source) or at + HEAD + size > len(source):
            return at
        at += HEAD + size
    return at
