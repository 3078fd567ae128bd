"""Pixels and sound, without training: linear prediction that learns as it goes, and context mixing.

A sample is guessed from its neighbours by several means; it is coded as a few binary decisions, "above this boundary?", "further
away?", whose probabilities come from logistic densities around all the guesses and from what happened in similar surroundings
before, mixed online:

    p(decision_t | s_<t) = mix_k p_k(decision_t),     p_k a logistic density around guess μ_k, or a context's history

After the lossless coders of Meyer & Tischer (TMW, 1997), Wu, Barthel & Zhang (2-D least squares, 1998), of audio Ghido (OptimFROG)
and Ashland (Monkey's Audio, cascades of sign LMS), with Mahoney's mixing (PAQ). The parts are in `linear_prediction/`.

Tokens are nibbles. Where the samples are is told beside them (`grid.Grid`); everything around them is coded first, by an adaptive
prior, which is also all there is where no samples are known. Only one lane: each sample is predicted from all before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..coding import Codec, Frame
from ..errors import ModelError, TokpressError
from ..exact.tensors import nothing_else
from ..grid import Grid
from ..lazy import np
from ..model_files import check_settings
from ..types import Config, Pmf, Prior, Tokens
from .adaptive import AdaptivePrior
from .linear_prediction.frame import SamplesCodec


class SamplesPrior(Prior):
    """
    >>> prior = SamplesPrior(); state = prior.init(lanes=1, tokens=4)
    >>> prior.step(state, None, 1).shape
    (1, 16)
    """

    name = "samples"
    vocab_size = 16
    stride = 2
    wants_grid = True

    def __init__(self) -> None:
        self.grid: Grid | None = None
        self._around = AdaptivePrior()

    def on(self, grid: Grid | None, tokens: int) -> SamplesPrior:
        bound = SamplesPrior()
        if grid is not None:
            bound.grid, bound.stride = grid, tokens  # a lane begins at multiples of the stride: there is one
        return bound

    def lanes(self, tokens: int) -> int:
        return 1

    def codec(self, frame: Frame) -> Codec:
        if self.grid is None:
            return self._around.codec(frame)
        return SamplesCodec(
            frame, self.grid, lambda tokens: self._around.codec(Frame(tokens, 1, frame.kernel, frame.threads))
        )

    def init(self, lanes: int, tokens: int) -> Any:
        if self.grid is not None:
            raise TokpressError("samples are not predicted one nibble after the other")
        return self._around.init(lanes, tokens)

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        return self._around.step(state, previous, rows)

    def stretch(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        return self._around.stretch(state, previous, symbols)

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> SamplesPrior:
        check_settings(f"a {cls.name} prior", config, set(), set())
        nothing_else(tensors, set())
        if vocab_size != cls.vocab_size:
            raise ModelError(f"a samples prior is over nibbles, not {vocab_size:,} symbols: --tokenizer nibbles")
        return cls()
