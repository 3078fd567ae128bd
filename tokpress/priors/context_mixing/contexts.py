"""Contexts of a byte: hashes of bytes before it, or of the pixels around it (`core/byte_contexts.h`, `core/pixel_contexts.h`).

Both are computed two bits before the newest byte is complete: its last two bits count as 01.
"""

from typing import NamedTuple

from .slots import MASK, scramble

HASHED = 10


def is_letter(byte: int) -> bool:
    return 97 <= byte <= 122 or 65 <= byte <= 90 or byte >= 128


def word_with(word: int, byte: int) -> int:
    """A hash of the current word, with `byte` added: its letters in lower case; 0 where `byte` is not a letter."""
    if not is_letter(byte):
        return 0
    letter = byte + 32 if 65 <= byte <= 90 else byte
    return ((word + letter + 1) * 0x2C1B3C6D297A2D39 & MASK) >> 20


class Bytes(NamedTuple):
    """The last 8 bytes, and the hashes of the current word and the word before it."""

    last: int = 0  # the last 8 bytes, the newest lowest
    word: int = 0
    older_word: int = 0

    def add(self, byte: int) -> "Bytes":
        older = self.word if self.word and not is_letter(byte) else self.older_word
        return Bytes((self.last << 8 | byte) & MASK, word_with(self.word, byte), older)


def orders_and_words(state: Bytes) -> list[int]:
    """The contexts that every model of bytes has: the last 2, 3, 4 and 6 bytes, the word, and two words."""
    last, word, older_word = state
    return [
        (last & 0xFFFF) + (1 << 60),
        (last & 0xFFFFFF) + (2 << 60),
        (last & 0xFFFFFFFF) + (3 << 60),
        (last & 0xFFFFFFFFFFFF) + (4 << 60),
        word + ((last & 255) << 52) + 5,
        word * 3 + older_word * 0x10001 + (last << 56) + 6,
    ]


def byte_contexts(state: Bytes, history: bytes | bytearray, record: int, byte: int, position: int) -> list[int]:
    """Hashes of the contexts of the byte at `position`, which follows `byte`; `state` and `history` do not hold `byte` yet. record:
    length of the records that end there, or 0 (`records`)."""
    after = state.add(byte)
    last = after.last
    hashes = [
        *orders_and_words(after),
        (last & 0xFFFF00) + (7 << 60),  # bytes 2 and 3 back
        (last & 0xFFFF0000) + (8 << 60),  # 3 and 4 back
        (last & 0xFF000000FF000000) + (position & 3) + 9,  # records of 4 bytes
        (last & 0xF0F0F0F0) + (10 << 60),  # the kinds of the last four characters
    ]
    if record:
        above, column, west = position - record, position % record, last & 255
        up = history[above]
        hashes[5:] = [
            (up << 16 | history[above - record] << 8 | west) + (11 << 60),
            (column << 16 | up << 8) + (12 << 60),
            (column << 16 | west << 8) + (13 << 60),
            (up << 24 | (last & 0xFFFF) << 8 | history[above + 1]) + (14 << 60),
            (up << 8 | west) + (15 << 60),
        ]
    return [scramble(hash & MASK) for hash in hashes]


class Pixels(NamedTuple):
    """Bytes [start, stop) are pixels of `pixel` bytes, in rows of `row` bytes of which `used` are pixels."""

    start: int
    stop: int
    pixel: int
    row: int
    used: int

    def channel(self, at: int) -> int:
        """The place of a byte in its pixel, or −1 where it belongs to no pixel."""
        if not self.start <= at < self.stop:
            return -1
        inside = (at - self.start) % self.row
        return inside % self.pixel if inside < self.used else -1


def pixel_contexts(history: bytes | bytearray, position: int, newest: int, pixels: Pixels, k: int) -> list[int]:
    """Hashes of the contexts of the byte at `position`, byte k of its pixel. `newest` is the byte before it."""
    _, _, pixel, row, _ = pixels
    begin = position - k

    def byte(at: int) -> int:
        return 0 if not 0 <= at < position else newest if at == position - 1 else history[at]

    def bytes_from(at: int, count: int, hash: int) -> int:
        for i in range(count):
            hash = (hash + byte(at + i) + 1) * 0x9E3779B97F4A7C15 & MASK
            hash ^= hash >> 32
        return hash

    west, north = byte(position - pixel), byte(position - row)
    north_west, north_east = byte(position - row - pixel), byte(position - row + pixel)
    by_pixel = bytes_from(begin, k, k + 1)  # the coded bytes of this pixel
    by_west = bytes_from(begin - pixel, pixel, by_pixel)
    by_north = bytes_from(begin - row, pixel, by_pixel + 1)
    by_west_north = bytes_from(begin - row, pixel, by_west + 2)
    corner = bytes_from(begin - row - pixel, pixel, by_west_north + 3)
    # the first byte of a pixel has no coded bytes: five bits of each neighbour
    around = west >> 3 << 15 | north >> 3 << 10 | north_west >> 3 << 5 | north_east >> 3
    hashes = [
        by_pixel if k else around | 1 << 60,
        (west << 16 | north << 8 | north_east) << 8 | k | 3 << 60,
        by_west,
        by_north,
        by_west_north,
        corner,
        bytes_from(begin - row + pixel, pixel, corner + 4),
        bytes_from(begin - 2 * pixel, pixel, by_west + 5),
        bytes_from(begin - 2 * row, pixel, by_north + 6),
        ((west + north - north_west) & 0x1FF) << 16 | (north_east >> 4) << 8 | k | 2 << 60,
    ]
    return [scramble(hash & MASK) for hash in hashes]
