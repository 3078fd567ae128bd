"""One binary decision: mix the predictions of experts and contexts, code the bit, learn it (core: prediction_mixing.h).

    x_i     = log2(p_i / (1 − p_i))     of 8 experts, and of CONTEXTS cells times n / (n + 1.5); one constant, 0.3
    mixed   = 1 / (1 + 2^−(w · x))      w: the sum of two rows of weights, each += rate · (bit − mixed) · x      (Mahoney 2005)
    p       = (mixed + correction) / 2  correction: how often a one followed such a w · x, interpolated between BUCKETS

A cell is a 22-bit probability p above a 10-bit count n; p += (bit − p) / (n + 1.4). A new cell, p = ½ and n = 0, is NEW."""

from collections.abc import Sequence

import numpy as np

from .arithmetic import LANES, F, Vector, clamp, log2, squash, total
from .bits import BitCoder

CONTEXTS = 7
NODES = 32  # decisions of a sample that have probabilities of their own
BUCKETS = 33
COLOURS = 4
ENERGY_SETS = 12
SETS = ENERGY_SETS + 4 * COLOURS
MAX_COUNT = 250
STRETCH_MAX = 12.0
NEW = 1 << 31


class Mixing:
    def __init__(self, samples: int) -> None:
        length = samples.bit_length()
        max_bits = [16, 12, 16, 16, 12, 12, 16]  # more for contexts of exact values
        self.row_masks = [(1 << min(max(length, 8), bits)) - 1 for bits in max_bits]
        self.cells = [np.full((mask + 1, NODES), NEW, np.uint32) for mask in self.row_masks]
        self.rows: list[int] = [0] * CONTEXTS
        self.weights = np.full((SETS, NODES, 2, LANES), F(0.05), np.float32)
        self.weights[:, :, 1] = F(0.025)
        self.weights[:, :, 1, CONTEXTS] = 0
        self.sets, self.colour, self.rate = (0, 0), 0, F(0)
        frequencies = [squash(F(0.75) * F(i) - F(12)) for i in range(BUCKETS)]
        self.correction = np.tile(np.array(frequencies, np.float32), (COLOURS, NODES, 1))

    def begin_sample(self, colour: int, sets: tuple[int, int], rate: np.float32, hashes: Sequence[int]) -> None:
        """Select corrections and two sets of weights, set the learning rate, and find the row of cells of each context."""
        self.colour, self.sets, self.rate = colour, sets, rate
        self.rows = [hash & mask for hash, mask in zip(hashes, self.row_masks, strict=True)]

    def decide(self, coder: BitCoder, node: int, num: Vector, den: Vector, bit: int) -> int:
        """Code a bit, learn it and return it. The experts' odds of a one are num / den [8]. A decoder ignores `bit`."""
        packed = np.array([self.cells[i][self.rows[i], node] for i in range(CONTEXTS)] + [NEW], np.uint32)
        count = (packed & 1023).astype(np.int32)
        n = count.astype(np.float32)
        p = (packed >> 10).astype(np.int32).astype(np.float32) * F(1 / 4194304)
        x = clamp(log2(num / den), -STRETCH_MAX, STRETCH_MAX)
        y = log2(p / (F(1) - p)) * (n / (n + F(1.5)))
        y[CONTEXTS] = F(0.3)
        w, v = (self.weights[number, node] for number in self.sets)
        log_odds = clamp(total((w[0] + v[0]) * x + (w[1] + v[1]) * y), -STRETCH_MAX, STRETCH_MAX)
        mixed = squash(log_odds)

        place = (log_odds + F(12)) * F(1 / 0.75)
        bucket = min(max(int(place), 0), BUCKETS - 2)
        share = place - F(bucket)
        frequencies = self.correction[self.colour, node]
        corrected = frequencies[bucket] * (F(1) - share) + frequencies[bucket + 1] * share
        p_one = min(max(int((F(0.5) * mixed + F(0.5) * corrected) * F(16777216)), 64), (1 << 24) - 64)
        bit = coder.code(bit, p_one)

        target = F(bit)
        step = (target - mixed) * self.rate
        for weights in (w, v):
            weights[0] += step * x
            weights[1] += step * y
        frequencies[bucket] += (target - frequencies[bucket]) * (F(1) - share) * F(0.014)
        frequencies[bucket + 1] += (target - frequencies[bucket + 1]) * share * F(0.014)
        moved = clamp(p + (target - p) / (n + F(1.4)), 0.0005, 0.9995)
        counted = count + (count < MAX_COUNT)
        cells = (moved * F(4194304)).astype(np.int32).astype(np.uint32) << 10 | counted.astype(np.uint32)
        for i in range(CONTEXTS):
            self.cells[i][self.rows[i], node] = cells[i]
        return bit
