"""Vectors of float32, on which every operation is one IEEE operation in a fixed order (core: prediction_math.h).

Sums over lanes go by halves: lane i and lane i + n/2 first. Logarithms and powers have base 2 and are polynomials."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F = np.float32
ROUND = F(12582912.0)  # 1.5 · 2^23: adding and subtracting it rounds to whole numbers
LANES = 8

Vector = NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)
Numbers = TypeVar("Numbers", NDArray[np.float32], np.float32)


def total(x: NDArray[Real]) -> Real:
    """The sum of 2, 4 or 8 lanes."""
    while len(x) > 1:
        half = len(x) // 2
        x = np.asarray(x[:half] + x[half:])
    first: Real = x[0]
    return first


def clamp(x: Numbers, low: float | np.float32, high: float | np.float32) -> Numbers:
    clamped: Numbers = np.minimum(np.maximum(x, F(low)), F(high))
    return clamped


def exp2(x: Vector) -> Vector:
    """2^x for |x| ≤ 40, relative error 2^-17.

    >>> exp2(np.array([3.0, -1.0], np.float32)).tolist()
    [8.0, 0.5]
    """
    rounded = (x + ROUND) - ROUND
    f = x - rounded
    p = ((F(0.0096673) * f + F(0.0558759)) * f + F(0.2402231)) * f + F(0.6931272)
    p = p * f + F(1)
    return (p.view(np.int32) + (rounded.astype(np.int32) << 23)).view(np.float32)


def log2(x: Vector) -> Vector:
    """log2 of normal positive numbers, absolute error below 2^-14.

    >>> log2(np.array([8.0, 1.0], np.float32)).tolist()
    [3.0, 0.0]
    """
    bits = x.view(np.int32)
    exponent = (bits - 0x3F3504F3) >> 23
    m = (bits - (exponent << 23)).view(np.float32) - F(1)
    p = (((F(0.2404941) * m - F(0.3887535)) * m + F(0.4875218)) * m - F(0.7206297)) * m + F(1.4425580)
    return exponent.astype(np.float32) + p * m


def squash(x: np.float32) -> np.float32:
    """1 / (1 + 2^−x)."""
    p: np.float32 = F(1) / (F(1) + exp2(np.array([-x], np.float32))[0])
    return p


def energy_of(x: np.float32, largest: int) -> int:
    """⌊4 log2(16 x + 1)⌋, clamped to 0 … largest; log2 is linear between powers of 2 (the bits of the float)."""
    power = np.array([F(16) * x + F(1)], np.float32).view(np.int32)[0]
    return min(max((int(power) >> 21) - (127 << 2), 0), largest)
