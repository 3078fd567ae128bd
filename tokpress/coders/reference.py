"""The range coder in a page of integers: what constriction does, as plain compiled code.

A number in [0, 2^64) is narrowed symbol by symbol (Martin 1979). With 24-bit frequencies, `left` being the
sum of those before the symbol:

    scale = range >> 24     lower ← lower + scale · left     range ← scale · frequency
    when range < 2^32, the top 32 bits of lower are settled: they are written, lower and range move up

The decoder holds 64 bits of the words at `point`; (point − lower) / scale lies in its symbol's interval.

`pop` is the oracle of the tests, and the decoder inside compiled loops over many small steps, where going
back to the interpreter for each would cost more than the step (`AdaptivePrior.decode_steps`).
"""

import numpy as np

from ..exact import jit
from .range_coder import BEYOND

_function = jit.njit(nogil=True, error_model="numpy", **jit.NO_ALLOCATION)

PRECISION = np.uint64(24)
WORD = np.uint64(32)
WHOLE = 1 << 24
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
    symbols = row.shape[0]
    total = np.float32(0)
    for v in range(symbols):
        total = total + row[v]
    to_integer = np.float32(WHOLE - symbols) / total
    scale = decoder[RANGE] >> PRECISION
    quantile = (decoder[POINT] - decoder[LOWER]) // scale
    if quantile >= np.uint64(WHOLE):
        return -1
    target = np.int64(quantile)
    cumulative = np.float32(0)
    left, right, symbol = 0, 0, 0
    for v in range(symbols):
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
