"""A sample as a path of binary decisions, chosen so that most cost about one bit (core: prediction_residual.h).

    1. Is the sample above a boundary near the blend?
    2. In which interval [0, w) [w, 2w) [2w, 4w) … is its distance from the boundary? Coded outwards; w = 2^k is about the
       expected error.
    3. In which half of that interval? Coded down to a width of 2^j, j = max(0, k − 2).
    4. The j low bits of the sample, which are nearly uniform unless the samples use fewer bits than they have.

The boundary is a multiple of 2^j, so that step 4 codes bits of the sample itself. Each expert's density is logistic:
P(sample < b) = 1 / (1 + E_b), E_b = 2^−((b − ½ − guess) · 2 / (scale + SCALE_FLOOR)), scale: its mean error. The odds that a
sample between a and c lies beyond b are (E_b − E_c) (1 + E_a) / ((E_a − E_b) (1 + E_c))."""

import math
from collections.abc import Sequence

import numpy as np

from ...media.grid import Grid
from .arithmetic import LANES, F, Vector, clamp, energy_of, exp2
from .bits import BitCoder
from .guesses import BLEND, ENERGIES, Guesses
from .mixing import COLOURS, ENERGY_SETS, Mixing

SCALE_FLOOR = F(0.06)
MIXED_BITS = 2
CLASSES = (1, 2, 3, 5, 8, 13, 22, 40, 80)


def hash2(a: int, b: int) -> int:
    """32 bits from two numbers."""
    x = (a * 0x9E3779B1 + b * 0x85EBCA77) & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x2C1B3C6D & 0xFFFFFFFF
    return x ^ x >> 13


def class_of(x: int) -> int:
    """Class of x, 0 … 18: 9 for 0, and up to nine classes of |x|, about logarithmic, on each side."""
    k = sum(abs(x) >= least for least in CLASSES)
    return 9 + (k if x > 0 else -k)


def at_least(x: Vector) -> Vector:
    return clamp(x, 1e-12, 1e30)


class SampleCoder:
    """Codes the samples of a grid one after the other."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.guesses, self.mixing, self.done = grid, Guesses(grid), Mixing(grid.samples), 0
        self.low_bits = [[[32768] * 16 for _ in range(32)] for _ in range(grid.channels)]

    def code(self, coder: BitCoder, value: int) -> int:
        """Code one sample with a coder of `bits.py`, learn it and return it. A decoder ignores `value`."""
        g, mixing = self.guesses, self.mixing
        g.guess()
        scale = g.scales[g.channel, g.energy]
        self.inverse = F(2) / (
            scale + SCALE_FLOOR
        )  # a logistic of scale s has mean |error| 2 s ln 2: log2(e) / s = 2 / mean
        k = 0
        while k < self.grid.bits - 2 and scale[BLEND] * F(1.25) >= F(2 << k):
            k += 1
        j = max(0, k - MIXED_BITS)
        unit = 1 << j
        boundary = (g.reference + math.floor(g.values[BLEND]) + 1 + (unit >> 1)) & -unit
        boundary = min(max(boundary, g.lowest), g.highest + 1)
        colour = min(g.channel, COLOURS - 1)
        sets = g.energy >> 3, ENERGY_SETS + colour * 4 + min(k, 3)
        rate = F(0.001) + F(0.007) / (F(1) + F(self.done) * F(1 / 4096))
        mixing.begin_sample(colour, sets, rate, self._contexts(boundary, j))

        up = int(boundary <= g.lowest)
        if g.lowest < boundary <= g.highest:
            ones = np.ones(LANES, np.float32)
            up = mixing.decide(coder, 0, self._edge(boundary, 1), ones, int(value >= boundary))
        largest = g.highest - boundary if up else boundary - 1 - g.lowest
        distance = value - boundary if up else boundary - 1 - value
        low = self._distance(coder, boundary, up, 1 << k, unit, largest, distance)
        value = self._low_bits(coder, boundary + low if up else boundary - low - unit, j, value)
        self.done += 1
        g.learn(value)
        return value

    def _distance(
        self, coder: BitCoder, boundary: int, up: int, width: int, unit: int, largest: int, distance: int
    ) -> int:
        """Code the distance from the boundary, without its low bits. largest: largest possible distance."""
        side, decide = 1 if up else -1, self.mixing.decide
        near, far = self._edge(boundary, side), np.zeros(LANES, np.float32)
        low = steps = 0
        while low + width <= largest:
            split = self._edge(boundary + side * (low + width), side)
            odds = at_least(split * (F(1) + near)), at_least(near - split)
            if not decide(coder, 1 + up * 8 + min(steps, 7), *odds, int(distance >= low + width)):
                far = split
                break
            near = split
            low += width
            width <<= steps > 0
            steps += 1
        half, depth = width >> 1, 0
        while half >= unit:
            if low + half <= largest:
                split = self._edge(boundary + side * (low + half), side)
                first = 17 + up * 4 + min(steps, 3)
                later = 25 + (depth * 3 - 3 + min(steps, 2) if depth < 3 else 6)
                odds = at_least((split - far) * (F(1) + near)), at_least((near - split) * (F(1) + far))
                if decide(coder, later if depth else first, *odds, int(distance >= low + half)):
                    low += half
                    near = split
                else:
                    far = split
            half >>= 1
            depth += 1
        return low

    def _edge(self, b: int, side: int) -> Vector:
        """E_b of each expert for values above the boundary (side 1); its inverse for values below (side −1)."""
        z = ((F(b - self.guesses.reference) - F(0.5)) - self.guesses.values) * self.inverse
        return exp2(clamp(z * F(-side), -30, 30))

    def _low_bits(self, coder: BitCoder, base: int, j: int, value: int) -> int:
        before = 1
        for i in range(j - 1, -1, -1):
            tables = self.low_bits[self.guesses.channel][i]
            p = tables[before & 15]
            bit = coder.code(value >> i & 1, min(max(p << 8, 4096), (1 << 24) - 4096))
            tables[before & 15] = p + (((bit << 16) - bit - p) >> 6)
            base += bit << i
            before = 8 | (before << 1 & 6) | bit if before >= 8 else before << 1 | bit
        return base

    def _contexts(self, boundary: int, shift: int) -> Sequence[int]:
        """Hashes of the seven contexts of the sample."""
        g, channels = self.guesses, self.grid.channels
        c, picture, back = g.channel, self.grid.picture, g.back
        up = g.geometry.stride if picture else 2 * channels
        corner = up - channels if picture else 3 * channels
        west, north, first, second = back(channels), back(up), back(1), back(2)
        if c:
            differences = hash2(hash2(c, boundary - first), boundary - second if c > 1 else 0)
        else:
            differences = hash2(hash2(c, boundary - west), boundary - north)
        classes = class_of((west - boundary) >> shift) * 32 + class_of((north - boundary) >> shift)
        errors = (self._error(channels) * 32 + self._error(up)) * 32 + self._error(corner)
        signed = self._signed(1 if c else channels, shift) * 32 + self._signed(2 if c > 1 else up, shift)
        neighbours = hash2(hash2(c, west), north)
        if picture and c:  # the chroma of this value, and of the neighbours
            chroma = hash2(hash2(c, boundary - first), west - back(channels + 1))
            neighbours = hash2(chroma, north - back(up + 1))
        return [
            differences,
            hash2(c, classes),
            hash2(c, boundary),
            neighbours,
            hash2(c, errors),
            hash2(c, signed),
            hash2(hash2(hash2(c, boundary), first if c else west), second if c > 1 else 0),
        ]

    def _error(self, distance: int) -> int:
        """Size of the error at a neighbour, in steps of 3/4 octaves."""
        return energy_of(self.guesses.errors[self.guesses.at - distance, BLEND], ENERGIES - 1) // 3

    def _signed(self, distance: int, shift: int) -> int:
        error = clamp(F(2) * self.guesses.signed_errors[self.guesses.at - distance], -1e9, 1e9)
        return class_of(int(error) >> shift)
