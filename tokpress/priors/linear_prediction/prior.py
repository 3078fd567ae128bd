"""A prior over pixels and sound, without training: linear prediction that learns as it codes, and context mixing.

Several predictors guess a sample from its neighbours. The sample is coded as a few binary decisions: above a boundary or not, further
away or not. A mixer that learns online combines the logistic densities around all guesses with the outcomes in similar surroundings:

    p(decision_t | s_<t) = mix_k p_k(decision_t),     p_k a logistic density around guess μ_k, or a context's history

After the lossless coders of Meyer & Tischer (TMW, 1997), Wu, Barthel & Zhang (2-D least squares, 1998), of audio Ghido (OptimFROG)
and Ashland (Monkey's Audio, cascades of sign LMS), with Mahoney's mixing (PAQ).

Tokens are bytes. A grid (`media.grid.Grid`) gives the places of the samples. `context_mixing` codes the bytes around them first, and all
bytes of a source without a grid. There is one lane: each sample is predicted from all before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...coding.base import Codec, Frame
from ...coding.lanes import FrameRules
from ...container.proportion import TOKENS_A_BYTE
from ...errors import ModelError
from ...exact.tensors import nothing_else
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ..base import Prior
from ..context_mixing.prior import ContextMixed
from .frame import LinearPredictionCodec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinearPredictionPrior(Prior):
    """
    >>> from tokpress.media.grid import Grid
    >>> codec = LinearPredictionPrior().codec(Frame(6, grid=Grid(True, 0, 2, 3, 1, 8)))
    >>> codec.decode(codec.encode(bytes([7, 8, 9, 7, 8, 9])), 6)
    bytearray(b'\\x07\\x08\\t\\x07\\x08\\t')
    """

    name = "linear_prediction"
    vocab_size = 256
    rules = FrameRules(max_lanes=1, tokens_per_byte=TOKENS_A_BYTE, on_grid=True, starts_empty=True)

    def codec(self, frame: Frame) -> Codec:
        return ContextMixed(frame) if frame.grid is None else LinearPredictionCodec(frame, frame.grid)

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> LinearPredictionPrior:
        check_settings(f"a {cls.name} prior", config, set(), set())
        nothing_else(tensors, set())
        if vocab_size != cls.vocab_size:
            raise ModelError(f"a {cls.name} prior is over bytes, not {vocab_size:,} symbols: --tokenizer bytes")
        return cls()
