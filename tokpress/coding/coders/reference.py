"""The range coder in a page of integers: what constriction does, as plain compiled code.

A number in [0, 2^64) is narrowed symbol by symbol (Martin 1979). With 24-bit frequencies, `left` being the
sum of those before the symbol:

    scale = range >> 24     lower ← lower + scale · left     range ← scale · frequency
    when range < 2^32, the top 32 bits of lower are settled: they are written, lower and range move up

The decoder holds 64 bits of the words at `point`; (point − lower) / scale lies in its symbol's interval.

`pop` and `push` are the oracle of the tests, and the coder inside compiled loops over many small steps, where going
back to the interpreter for each would cost more than the step (`priors/two_level_loop_kernel.py`).
"""

import numpy as np

from ...exact import jit
from .range_coder import BEYOND

_function = jit.njit(nogil=True, error_model="numpy", **jit.NO_ALLOCATION)

PRECISION = np.uint64(24)
WORD = np.uint64(32)
WHOLE = 1 << 24
#: symbols from one sum that `add_up` keeps to the next
MARK = 32
#: fields of a decoder, uint64 [4]
LOWER, RANGE, POINT, NEXT = range(4)


def start(payload: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(words uint64, decoder) before the first symbol; past the end come zeros."""
    padded = payload + b"\0" * (-len(payload) % 4 + 4 * BEYOND)
    words = np.frombuffer(padded, "<u4").astype(np.uint64)
    decoder = np.array([0, 2**64 - 1, (int(words[0]) << 32) | int(words[1]), 2], np.uint64)
    return words, decoder


@_function
def pop(words, decoder, row):
    """The next symbol under the float32 probabilities row [V], or −1 if no encoder writes such words, or they end."""
    total = np.float32(0)
    for v in range(row.shape[0]):
        total = total + row[v]
    to_integer = np.float32(WHOLE - row.shape[0]) / total
    return _pop_from(words, decoder, row, to_integer, _target(decoder), 0, np.float32(0), 0)


@_function
def add_up(rows, sums):
    """The sums of each row [n, V], added in order, after each MARK symbols and after the last: sums [n, ⌈V / MARK⌉].
    Four rows at a time, since an addition waits for the one before."""
    n, symbols, zero = rows.shape[0], rows.shape[1], np.float32(0)
    for i in range(0, n - 3, 4):
        w, x, y, z = zero, zero, zero, zero
        for mark in range(sums.shape[1]):
            for v in range(mark * MARK, min((mark + 1) * MARK, symbols)):
                w = w + rows[i, v]
                x = x + rows[i + 1, v]
                y = y + rows[i + 2, v]
                z = z + rows[i + 3, v]
            sums[i, mark], sums[i + 1, mark], sums[i + 2, mark], sums[i + 3, mark] = w, x, y, z
    for i in range(n - n % 4, n):
        total = zero
        for mark in range(sums.shape[1]):
            for v in range(mark * MARK, min((mark + 1) * MARK, symbols)):
                total = total + rows[i, v]
            sums[i, mark] = total


@_function
def pop_of(words, decoder, row, sums):
    """`pop`, where `add_up` has been at the row: only what lies between two of the sums is gone through."""
    to_integer = np.float32(WHOLE - row.shape[0]) / sums[-1]
    target = _target(decoder)
    right, mark = 0, 0
    while mark < sums.shape[0] - 1:
        after = int(sums[mark] * to_integer) + (mark + 1) * MARK
        if target < after:
            break
        right = after
        mark += 1
    before = sums[mark - 1] if mark else np.float32(0)
    return _pop_from(words, decoder, row, to_integer, target, mark * MARK, before, right)


@_function
def _target(decoder):
    """What lies in the integer interval of the next symbol."""
    return np.int64((decoder[POINT] - decoder[LOWER]) // (decoder[RANGE] >> PRECISION))


@_function
def _pop_from(words, decoder, row, to_integer, target, first, cumulative, right):
    """The symbol is `first` or comes after it; the sums of those before it are known, of floats and of integers."""
    symbols, scale = row.shape[0], decoder[RANGE] >> PRECISION
    if target >= WHOLE:
        return -1
    left, symbol = right, first
    for v in range(first, symbols):
        symbol, left = v, right
        cumulative = cumulative + row[v]
        right = int(cumulative * to_integer) + v + 1 if v < symbols - 1 else WHOLE
        if target < right:
            break
    decoder[LOWER] = decoder[LOWER] + scale * np.uint64(left)
    decoder[RANGE] = scale * np.uint64(right - left)
    if decoder[RANGE] < np.uint64(1) << WORD:
        decoder[LOWER] = decoder[LOWER] << WORD
        decoder[RANGE] = decoder[RANGE] << WORD
        if decoder[NEXT] >= np.uint64(words.shape[0]):
            return -1
        decoder[POINT] = (decoder[POINT] << WORD) | words[decoder[NEXT]]
        decoder[NEXT] = decoder[NEXT] + np.uint64(1)
    return symbol


def marks(symbols: int) -> int:
    """How many sums `add_up` keeps."""
    return -(-symbols // MARK)


#: fields of an encoder beside LOWER and RANGE, uint64 [3]
USED = 2


class Writer:
    """Room for words, which grows, and an encoder."""

    def __init__(self) -> None:
        self.words = np.zeros(1 << 10, np.uint32)
        self.encoder = np.array([0, 2**64 - 1, 0], np.uint64)

    def reserve(self, symbols: int) -> None:
        """For so many more symbols: none takes more than a word."""
        missing = int(self.encoder[USED]) + symbols - len(self.words)
        if missing > 0:
            self.words = np.concatenate([self.words, np.zeros(max(missing, len(self.words)), np.uint32)])

    def finish(self) -> bytes:
        """The words in little-endian bytes, without zeros at the end of the last one."""
        lower, width, used = (int(field) for field in self.encoder)
        words = self.words[:used]
        if width != 2**64 - 1 or used:
            point = lower + 2**32 - 1
            if point >> 64:
                carry(self.words, used)
            last = (point >> 32) & (2**32 - 1)
            ends_there = ((lower + width) >> 32) & (2**32 - 1) == last
            words = np.append(words, np.array([last, 0] if ends_there else [last], np.uint32))
        whole = words.astype("<u4").tobytes()
        return whole[:-4] + whole[-4:].rstrip(b"\0")


@_function
def carry(words, used):
    """Add 1 to the number that the words are."""
    at = used - 1
    while at >= 0:
        words[at] = np.uint32(words[at] + np.uint32(1))
        if words[at] != 0:
            return
        at -= 1


@_function
def interval(row, symbol, sums):
    """(sum of the integer frequencies before the symbol, and with it), of a row that `add_up` has been at."""
    symbols, mark = row.shape[0], symbol // MARK
    to_integer = np.float32(WHOLE - symbols) / sums[-1]
    cumulative = sums[mark - 1] if mark else np.float32(0)
    for v in range(mark * MARK, symbol):
        cumulative = cumulative + row[v]
    left = int(cumulative * to_integer) + symbol if symbol else 0
    if symbol == symbols - 1:
        return left, WHOLE
    return left, int((cumulative + row[symbol]) * to_integer) + symbol + 1


@_function
def push(words, encoder, left, right):
    """Narrow by an interval; there must be room for a word."""
    scale = encoder[RANGE] >> PRECISION
    before = encoder[LOWER]
    encoder[LOWER] = before + scale * np.uint64(left)
    if encoder[LOWER] < before:
        carry(words, np.int64(encoder[USED]))
    encoder[RANGE] = scale * np.uint64(right - left)
    if encoder[RANGE] < np.uint64(1) << WORD:
        words[np.int64(encoder[USED])] = np.uint32(encoder[LOWER] >> WORD)
        encoder[USED] = encoder[USED] + np.uint64(1)
        encoder[LOWER] = encoder[LOWER] << WORD
        encoder[RANGE] = encoder[RANGE] << WORD
