"""The match model: find the last earlier occurrence of the last bytes, and predict the byte that followed. `core/match.h` is the same.

A hash table maps the last five bytes to the place behind their last occurrence. A match is verified by comparing bytes. It is
dropped only after PATIENCE wrong bytes, so that it survives a record's changing number.
"""

from .slots import MASK, scramble

LONGEST = 32  # bytes compared when a match is looked up
SHORTEST = 4
PATIENCE = 16
BUCKETS = 32  # of lengths; 0: no match


def bucket_of(length: int) -> int:
    if length < 16:
        return 1 + length
    return 13 + (length >> 2) if length < 32 else 19 + (length >> 4) if length < 160 else 28


class Match:
    def __init__(self, log2: int, heads: dict[int, int] | None = None) -> None:
        """2^log2 heads; several matches in one history may share them."""
        self.log2 = log2
        self.heads = {} if heads is None else heads
        self.head = 0  # the first of four, of which the last two bits of the newest byte choose one
        self.place = self.length = self.misses = self.bucket = self.expected = 0

    def ask(self, last: int) -> None:
        """Hash the last bytes early: the last two bits of the newest one are not known yet, and choose one of four heads later."""
        self.head = scramble((last << 24 | 1) & MASK) >> (66 - self.log2) << 2

    def follow(self, history: bytes | bytearray, here: int) -> None:
        """A byte has been added to the history, which goes up to `here`."""
        head = self.head + (history[here - 1] & 3)
        place = self.place + 1 if self.place else 0
        if self.length:
            self.length = min(self.length + 1, 65535)
            if self.length >= 16:
                self.misses = 0
        elif here > SHORTEST:
            found, length = self.heads.get(head, 0), 0
            while length < min(LONGEST, found, here) and history[found - 1 - length] == history[here - 1 - length]:
                length += 1
            if length >= SHORTEST:
                place, self.length, self.misses = found, length, 0
            elif place and self.misses < PATIENCE:
                self.length = 1
            else:
                place = 0
        self.heads[head] = here
        self.place = place
        self.bucket = bucket_of(self.length) if self.length else 0
        self.expected = history[place]

    def miss(self) -> None:
        """The coded bit differs from the predicted one."""
        self.length = self.bucket = 0
        self.misses += 1
