"""A cascade of sign-LMS filters for sound, as in Monkey's Audio and OptimFROG (core: samples_filters.h).

The input of each filter is the prediction error of the filter before it; x are the last inputs.

    guess = w · x     rest = input − guess     w += rate · clamp(rest / (usual + 0.1), −2, 2) · sign(x)
    usual += (|rest| − usual) / 128                                                     the running mean of |rest|
"""

import numpy as np

from .arithmetic import LANES, F, clamp, total

#: taps of each filter, and how fast it learns
TAPS = [(1024, F(3e-5)), (256, F(1.2e-4)), (32, F(2.4e-4))]


class Filter:
    def __init__(self, taps: int, rate: np.float32) -> None:
        self.rate, self.usual, self.guessed = rate, F(1), F(0)
        self.weights, self.recent = np.zeros(taps, np.float32), np.zeros(taps, np.float32)  # the newest first

    def guess(self) -> np.float32:
        sums = np.zeros((4, LANES), np.float32)
        for products in (self.weights * self.recent).reshape(-1, 4, LANES):
            sums = sums + products
        self.guessed = total((sums[0] + sums[1]) + (sums[2] + sums[3]))
        return self.guessed

    def learn(self, came: np.float32) -> np.float32:
        """Update with the true input, `came`. Returns the prediction error, the input of the next filter."""
        rest = came - self.guessed
        step = self.rate * clamp(rest / (self.usual + F(0.1)), -2, 2)
        self.weights += step * np.sign(self.recent)
        self.usual += (abs(rest) - self.usual) * F(0.0078125)
        self.recent = np.concatenate([[came], self.recent[:-1]], dtype=np.float32)
        return rest
