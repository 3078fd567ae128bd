"""A prior in one short file, as a newcomer would write it: the next byte is like the last one."""

import numpy as np

from tokpress.priors.base import SteppedPrior
from tokpress.priors.registry import register_prior


@register_prior("toy")
class ToyPrior(SteppedPrior):
    """p(x_t = x_{t−1}) = ½, the rest uniform."""

    name = "toy"

    def __init__(self, vocab_size: int):
        self.vocab_size = vocab_size

    def init(self, lanes, tokens):
        return None

    def step(self, state, previous, rows):
        pmf = np.full((rows, self.vocab_size), np.float32(0.5 / self.vocab_size))
        last = np.zeros(rows, np.int32) if previous is None else previous
        pmf[np.arange(rows), last] += np.float32(0.5)
        return pmf

    @classmethod
    def load(cls, config, tensors, vocab_size):
        return cls(vocab_size)
