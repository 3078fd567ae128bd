"""A cascade of normalised LMS filters for sound, as in OptimFROG and Sac (core: prediction_filters.h).

The input of each filter is the prediction error of the filter before it; x are the last inputs.

    guess = w · x     error = input − guess     w += rate / taps · error · x / (power + 0.01)
    power = (p_0 + p_1) / 4 + p_2 / 2     p_k: running means of x² over 8, 64 and taps / 2 inputs
"""

import numpy as np

from .arithmetic import LANES, F, total

#: taps and learning rate of each filter
TAPS = [(1024, F(0.08)), (256, F(0.1)), (32, F(0.06)), (16, F(0.04))]


class Filter:
    def __init__(self, taps: int, rate: np.float32) -> None:
        self.rate, self.last_guess = rate / F(taps), F(0)
        self.power, self.power_rates = np.zeros(3, np.float32), np.array([0.125, 0.015625, 2 / taps], np.float32)
        self.weights, self.recent = np.zeros(taps, np.float32), np.zeros(taps, np.float32)  # newest input first

    def guess(self) -> np.float32:
        """0 where the sum is no number or very large."""
        sums = np.zeros((2, LANES), np.float32)
        for products in (self.weights * self.recent).reshape(-1, 2, LANES):
            sums = sums + products
        guess = total(sums[0] + sums[1])
        self.last_guess = guess if F(-1e10) < guess < F(1e10) else F(0)
        return self.last_guess

    def learn(self, target: np.float32) -> np.float32:
        """Update with the true input. Returns the prediction error, the input of the next filter."""
        error: np.float32 = target - self.last_guess
        power = F(0.25) * self.power[0] + F(0.25) * self.power[1] + F(0.5) * self.power[2]
        self.weights += self.rate * error / (power + F(0.01)) * self.recent
        self.power += (target * target - self.power) * self.power_rates
        self.recent = np.concatenate([[target], self.recent[:-1]], dtype=np.float32)
        return error
