"""Contexts of a token: what a lane knows before its next token. `core/bitwise_contexts.h` is the same.

Some are of tokens (the last ones, the first one of the line, the one that began in this column before), some of bytes (the last
ones, the word, the kinds of the last characters). A match is the place where the last tokens occurred before; the token after it is
expected. Some contexts hash the number of the lane: a lane reads a part of the file, and a part repeats itself more than others.
"""

from ..context_mixing.contexts import Bytes, is_letter
from ..context_mixing.slots import MASK, scramble

CONTEXTS = 13
COLUMNS = 256  # of a line that are told apart
FOLLOWED = 6  # tokens that agree before a match is followed
COMPARED = 32
BUCKETS = 32  # of lengths of matches; 0: no match
NEWLINE = 10


def kind_of(byte: int) -> int:
    """The kind of a character: 0 a letter, 1 a capital, 2 a digit, 3 a space, 4 a line feed, 5 any other."""
    if 65 <= byte <= 90:
        return 1
    if is_letter(byte):
        return 0
    if 48 <= byte <= 57:
        return 2
    return {32: 3, NEWLINE: 4}.get(byte, 5)


def bucket_of(length: int) -> int:
    if length < 16:
        return length
    return 12 + length // 4 if length < 32 else 20 + min(length // 32, 10)


class Lane:
    """hashes [CONTEXTS]: of the contexts of the next token. length, expected: of the match, 0 if none; the place of the token that it predicts."""

    def __init__(self, number: int, steps: int) -> None:
        """steps: tokens of a lane. The history of all lanes holds those of lane i from i · steps on."""
        self.own = (number + 1) * 0x9E3779B97F4A7C15 & MASK
        self.begin = self.here = number * steps
        self.bytes, self.last = Bytes(), [0] * 4  # places plus 1, the newest first; 0: none
        self.first = self.first_before = self.column = (
            0  # of this line, of the line before; bytes since the last line feed
        )
        self.above = [0] * COLUMNS
        self.match = self.length = self.expected = 0
        self.hashes = self._hashes()

    def _column(self) -> int:
        return min(self.column, COLUMNS - 1)

    def _hashes(self) -> list[int]:
        last, (one, two, three, four) = self.bytes.last, self.last
        word, own, column = self.bytes.word, self.own, self._column()
        byte, kinds = last & 255, 0
        for i in range(8):
            kinds = 6 * kinds + kind_of(last >> 8 * i & 255)
        contexts = [
            word + (byte << 44),
            3 * word + 0x10001 * self.bytes.older_word + (byte << 40),
            one + own,
            3 * (one + (two << 17) + own),
            5 * (word + own) + byte,
            self.first << 17 | one,
            kinds,
            kinds << 17 | one,
            self.first_before << 17 | self.first | min(column, 31) << 40,
            three | four << 17,
            column << 17 | self.above[column],
            last & 0xFFFF,
            byte,
        ]
        return [scramble(context + (i + 1 << 56) & MASK) for i, context in enumerate(contexts)]

    def add(self, token: bytes, place: int, history: list[int], heads: dict[int, int], log2: int) -> None:
        """Append a token. heads: where hashes of tokens ended last, 2^log2 of them."""
        self.above[self._column()] = place + 1
        for byte in token:
            self.bytes = self.bytes.add(byte)
            self.column += 1
            if byte == NEWLINE:
                self.first_before, self.first, self.column = self.first, 0, 0
        if not self.first and self.column:
            self.first = place + 1
        self.last = [place + 1, *self.last[:3]]
        history[self.here] = place + 1
        self.here += 1
        self._follow(history, heads, log2)
        self.hashes = self._hashes()

    def _follow(self, history: list[int], heads: dict[int, int], log2: int) -> None:
        """Follow the match, or look for one."""
        here, seen = self.here, self.here - self.begin
        if self.length and history[self.match] == history[here - 1]:
            self.match += 1
            self.length = min(self.length + 1, 65535)
        else:
            self.length = 0
        if seen >= FOLLOWED:
            hash_ = 0
            for i in range(1, FOLLOWED + 1):
                hash_ = 0x10001 * hash_ + history[here - i] & MASK
            head = scramble(hash_) >> (64 - log2)
            if not self.length and (found := heads.get(head, 0)):
                limit, length = min(found, seen, COMPARED), 0
                while length < limit and history[found - 1 - length] == history[here - 1 - length]:
                    length += 1
                if length >= FOLLOWED:
                    self.match, self.length = found, length
            heads[head] = here
        self.expected = history[self.match] - 1
        if self.expected < 0:  # not written yet
            self.length = 0
