"""Histogram: one pmf for all positions, from counts: static (trained) or adaptive (learned while coding).

    static    p(v) = (c(v) + α) / (N + αV)          counts c of a training corpus
    adaptive  p_t(v) = (c_<t(v) + α) / (t + αV)     counts of the coded tokens of the frame

α = ½ is the Krichevsky–Trofimov estimator (1981); counts are stored as 2c + 1, so that all numbers are
integers until one float32 division. The adaptive counts are shared by all lanes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...coding.lanes import FrameRules
from ...errors import ModelError
from ...exact.tensors import COUNT, checked, nothing_else
from ...storage.settings import settings_of
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import SteppedPrior


@dataclass
class State:
    doubled: NDArray[np.int64]  # [V] int64, 2c + 1


class HistogramPrior(SteppedPrior):
    """
    >>> prior = HistogramPrior(4)
    >>> state = prior.init(lanes=1, tokens=2)
    >>> prior.step(state, None, 1)
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    >>> prior.step(state, np.array([2], np.int32), 1).round(3)
    array([[0.167, 0.167, 0.5  , 0.167]], dtype=float32)
    """

    name = "histogram"
    #: settings of training
    defaults: ClassVar = {"static": True}

    def __init__(self, vocab_size: int, counts: NDArray[np.int64] | None = None):
        """counts [V] int64, for a static histogram."""
        self.vocab_size, self.rules = vocab_size, FrameRules(starts_empty=counts is None)
        self.counts = counts if counts is None else checked({"counts": counts}, "counts", (vocab_size,), COUNT)

    def init(self, lanes: int, tokens: int) -> State:
        counts = np.zeros(self.vocab_size, np.int64) if self.counts is None else self.counts
        return State(2 * counts + 1)

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        if self.counts is None and previous is not None:
            np.add.at(state.doubled, previous, 2)
        row = state.doubled.astype(np.float32) / np.float32(int(state.doubled.sum()))
        return np.repeat(row[None], rows, 0)

    def config(self) -> Config:
        return {"static": self.counts is not None}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return {} if self.counts is None else {"counts": self.counts}

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "HistogramPrior":
        static = settings_of(cls.name, config, {"static": False})["static"]
        nothing_else(tensors, {"counts"} if static else set())
        if static and "counts" not in tensors:
            raise ModelError("model.safetensors has no histogram counts")
        return cls(vocab_size, tensors["counts"] if static else None)
