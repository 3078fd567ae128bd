"""A cascade of sign-LMS filters for sound, as in Monkey's Audio and OptimFROG (core: prediction_filters.h).

The input of each filter is the prediction error of the filter before it; x are the last inputs.

    guess = w · x     error = input − guess     w += rate · clamp(error / (mean + 0.1), −2, 2) · sign(x)
    mean += (|error| − mean) / 128                                                      the running mean of |error|
"""

import numpy as np

from .arithmetic import LANES, F, clamp, total

#: taps and learning rate of each filter
TAPS = [(1024, F(3e-5)), (256, F(1.2e-4)), (32, F(2.4e-4))]


class Filter:
    def __init__(self, taps: int, rate: np.float32) -> None:
        self.rate, self.mean_error, self.last_guess = rate, F(1), F(0)
        self.weights, self.recent = np.zeros(taps, np.float32), np.zeros(taps, np.float32)  # newest input first

    def guess(self) -> np.float32:
        sums = np.zeros((4, LANES), np.float32)
        for products in (self.weights * self.recent).reshape(-1, 4, LANES):
            sums = sums + products
        self.last_guess = total((sums[0] + sums[1]) + (sums[2] + sums[3]))
        return self.last_guess

    def learn(self, target: np.float32) -> np.float32:
        """Update with the true input. Returns the prediction error, the input of the next filter."""
        error: np.float32 = target - self.last_guess
        step = self.rate * clamp(error / (self.mean_error + F(0.1)), -2, 2)
        self.weights += step * np.sign(self.recent)
        self.mean_error += (abs(error) - self.mean_error) * F(0.0078125)
        self.recent = np.concatenate([[target], self.recent[:-1]], dtype=np.float32)
        return error
