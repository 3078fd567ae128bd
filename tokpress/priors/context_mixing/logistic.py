"""Probabilities and their log-odds, in octaves: stretch(p) = log2(p / (1 − p)), squash(x) = 1 / (1 + 2^−x) undoes it.

A mixer adds log-odds, as independent evidence adds up. `core/logistic.h` is the same.
"""

from functools import lru_cache

#: units of an octave of mixed log-odds; log-odds of one input are in 128ths
OCTAVE = 256
CENTRE = 14 * OCTAVE
LIMIT = CENTRE - 1
#: 2^32 · 2^(−1/256)
ROOT_OF_HALF = 4283353945


def clamp(x: int, low: int, high: int) -> int:
    return low if x < low else high if x > high else x


@lru_cache(maxsize=1)
def squash_table() -> list[int]:
    """[2 · CENTRE]: p · 2^16 at x + CENTRE, between 4 and 65532.

    >>> table = squash_table(); table[CENTRE], table[CENTRE + OCTAVE]
    (32768, 43690)
    """
    table = [0] * (2 * CENTRE)
    power = 1 << 32
    for x in range(CENTRE + 1):
        p = (1 << 48) // ((1 << 32) + power)
        if x < CENTRE:
            table[CENTRE + x] = clamp(p, 4, 65532)
        if x:
            table[CENTRE - x] = clamp(65536 - p, 4, 65532)
        power = power * ROOT_OF_HALF >> 32
    return table


def log2(n: int) -> int:
    """2^23 · log2(n), linear between the powers of 2: the bits of the float n, read as an integer. n < 2^24.

    >>> log2(4) / 2**23, log2(6) / 2**23
    (2.0, 2.5)
    """
    exponent = n.bit_length() - 1
    return (exponent << 23) + ((n << (23 - exponent)) - (1 << 23))


def stretch(p: int) -> int:
    """log2(p / (1 − p)) in 128ths of an octave; p has 22 bits, and is neither 0 nor 1."""
    return (log2(p) - log2((1 << 22) - p)) >> 16


@lru_cache(maxsize=1)
def cost_table() -> list[int]:
    """[65536]: −log2(p / 2^16) in 2^−20 bits, by squaring: each square gives another binary digit of the logarithm."""
    table = [16 << 20]
    for p in range(1, 65536):
        shift = 32 - p.bit_length()
        x, fraction = p << shift, 0  # x / 2^31 in [1, 2)
        for digit in reversed(range(20)):
            x = x * x >> 31
            if x >> 32:
                fraction |= 1 << digit
                x >>= 1
        table.append(((shift - 15) << 20) - fraction)
    return table
