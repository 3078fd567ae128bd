"""Mixture of logistics: a parameterised distribution over one ordered symbol, by maximum likelihood.

    p(v) = Σ_k π_k [σ((v + ½ − μ_k)/s_k) − σ((v − ½ − μ_k)/s_k)]          K components, 3K − 1 numbers for any V

The lecture's "mixture of logistics for multi-modal" data; discretized as in Salimans et al. 2017 (PixelCNN++), §2.1, with
its edges at ±∞ (`exact.logistics`). K = 1 is the discretized logistic. A histogram repeats its few samples; 3K
numbers generalise: docs/one_dimension.md draws both. All positions and lanes share one pmf.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...errors import ModelError
from ...exact import logistics
from ...exact.tensors import VECTOR, checked, nothing_else
from ...storage.settings import settings_of
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import SteppedPrior


class LogisticMixturePrior(SteppedPrior):
    name = "logistic_mixture"
    #: settings of training
    defaults: ClassVar = {"components": 4}

    def __init__(self, parameters: NDArray[np.float32], vocab_size: int) -> None:
        """parameters [3, K] float32: log weights, means and log scales on the scale −1 … 1 of all symbols."""
        if parameters.ndim != 2 or not parameters.size or vocab_size < 2:
            raise ModelError("a mixture of logistics needs at least one component and two symbols")
        self.parameters = checked({"parameters": parameters}, "parameters", (3, parameters.shape[1]), VECTOR)
        self.vocab_size = vocab_size
        log_weights, means, log_scales = parameters[:, None]
        self.pmf = logistics.pmf(log_weights, means, log_scales, vocab_size)

    def init(self, lanes: int, tokens: int) -> None:
        """There is no state."""

    def step(self, state: None, previous: Tokens | None, rows: int) -> Pmf:
        return np.repeat(self.pmf, rows, 0)

    def config(self) -> Config:
        return {"components": self.parameters.shape[1]}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return {"parameters": self.parameters}

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "LogisticMixturePrior":
        components = settings_of(cls.name, config, {"components": 1})["components"]
        nothing_else(tensors, {"parameters"})
        return cls(checked(tensors, "parameters", (3, components), VECTOR), vocab_size)
