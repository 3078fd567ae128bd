"""A trained prior in one short file, as a newcomer would write it: after a token comes what came after it before."""

import numpy as np

from tokpress.registry import register_prior
from tokpress.types import Prior


@register_prior("toy-pairs")
class ToyPairs(Prior):
    """p(v | u) = (c(u, v) + 1) / (n(u) + V)"""

    name = "toy-pairs"

    def __init__(self, counts):
        self.counts, self.vocab_size = counts, len(counts)

    @classmethod
    def fit(cls, sources, tokenizer, config, options):
        counts = np.full((tokenizer.vocab_size, tokenizer.vocab_size), int(config.get("start", 1)), np.int32)
        for source in sources:
            np.add.at(counts, (source.tokens[:-1], source.tokens[1:]), 1)
        return cls(counts)

    def init(self, lanes, tokens):
        return None

    def step(self, state, previous, rows):
        rows_of = self.counts[np.zeros(rows, np.int32) if previous is None else previous]
        return rows_of.astype(np.float32) / rows_of.sum(1, keepdims=True).astype(np.float32)

    def tensors(self):
        return {"counts": self.counts}

    @classmethod
    def load(cls, config, tensors, vocab_size):
        return cls(tensors.get("counts", np.ones((vocab_size, vocab_size), np.int32)))
