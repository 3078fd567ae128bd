"""The match model: find the last occurrence of the last bytes, and predict the byte that followed it. `core/match.h` is the same.

A hash table maps the last five bytes to the end of their last occurrence. A match is verified by comparing bytes. It is
dropped only after PATIENCE wrong bytes, so that it survives a record's changing number.
"""

from .slots import MASK, scramble

LONGEST = 32  # bytes compared when a match is looked up
SHORTEST = 4
PATIENCE = 16
BUCKETS = 32  # of match lengths; 0: no match


def bucket_of(length: int) -> int:
    if length < 16:
        return 1 + length
    return 13 + (length >> 2) if length < 32 else 19 + (length >> 4) if length < 160 else 28


class Match:
    def __init__(self, log2: int, heads: dict[int, int] | None = None) -> None:
        """log2: of the number of heads. Several matches in one history may share `heads`."""
        self.log2 = log2
        self.heads = {} if heads is None else heads
        self.head = 0  # the first of four heads; the last two bits of the newest byte choose one
        self.place = self.length = self.misses = self.bucket = self.expected = 0

    def prepare(self, last: int) -> None:
        """Hash the last bytes, two bits before the newest one is complete; these two bits choose one of four heads later."""
        self.head = scramble((last << 24 | 1) & MASK) >> (66 - self.log2) << 2

    def update(self, history: bytes | bytearray, end: int) -> None:
        """Learn the newest byte of the history, which ends at `end`."""
        head = self.head + (history[end - 1] & 3)
        place = self.place + 1 if self.place else 0
        if self.length:
            self.length = min(self.length + 1, 65535)
            if self.length >= 16:
                self.misses = 0
        elif end > SHORTEST:
            candidate, length = self.heads.get(head, 0), 0
            limit = min(LONGEST, candidate, end)
            while length < limit and history[candidate - 1 - length] == history[end - 1 - length]:
                length += 1
            if length >= SHORTEST:
                place, self.length, self.misses = candidate, length, 0
            elif place and self.misses < PATIENCE:
                self.length = 1
            else:
                place = 0
        self.heads[head] = end
        self.place = place
        self.bucket = bucket_of(self.length) if self.length else 0
        self.expected = history[place]

    def miss(self) -> None:
        """The coded bit differs from the predicted one."""
        self.length = self.bucket = 0
        self.misses += 1

    def drop(self) -> None:
        """Forget the place of the match."""
        self.place = self.length = self.bucket = 0
