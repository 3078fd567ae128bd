"""The bit histories of contexts: a hash table of cache lines (`core/slots.h` is the same).

A nibble is four binary decisions: a path through a tree of 15 nodes, so a context has 15 histories. A line holds four contexts:

    4 check bytes │ 4 histories of node 1 │ 4 of node 2 │ … │ 4 of node 15            (16 · 4 = 64 bytes)

A cache miss costs more than the arithmetic, so the line is chosen two bits before the nibble ends; the last two bits only change
the check byte.
"""

MASK = (1 << 64) - 1


def scramble(x: int) -> int:
    """Hash 64 bits to 64: a change of any input bit changes about half of the upper bits."""
    x = x * 0x9E3779B97F4A7C15 & MASK
    x ^= x >> 32
    return x * 0xD6E8FEB86659FD93 & MASK


class Slots:
    def __init__(self, log2: int) -> None:
        """log2: of the number of lines."""
        self.log2 = log2
        self.lines: dict[int, bytearray] = {}  # lines in use

    def place(self, hash: int) -> tuple[int, int]:
        """(line, check) of a context from 64 bits of hash."""
        return hash >> (64 - self.log2), hash >> 32 & 255

    def find(self, line: int, check: int) -> tuple[bytearray, int]:
        """(line, slot): the history of node n is line[4 · n + slot]. A new context replaces the one with the fewest bits."""
        bytes_ = self.lines.setdefault(line, bytearray(64))
        for slot in range(4):
            if bytes_[slot] == check:
                return bytes_, slot
        slot = min(range(4), key=lambda slot: bytes_[4 + slot])
        bytes_[slot::4] = bytes(16)
        bytes_[slot] = check
        return bytes_, slot
