"""The contract of every prior, and of those that step.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──SteppedPrior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from ..coding.base import Codec, Frame, Pmf
from ..coding.lanes import FrameRules
from ..lazy import np
from ..tokenizers.base import Config, Tokenizer
from ..tokens import Tokens


class Prior(ABC):
    """p(x_1 … x_N) of a frame's tokens, computed exactly (docs/exactness.md).

    A prior is immutable: what is learned while coding belongs to the codec of one frame, so one prior may serve many frames at
    once. Most priors are stepped (`SteppedPrior`); others code bits, samples or whole items, and bring a codec of their own."""

    name: str
    vocab_size: int
    #: how the prior's tokens lie in a frame
    rules: FrameRules = FrameRules()

    @abstractmethod
    def codec(self, frame: Frame) -> Codec:
        """The codec of one frame."""

    def config(self) -> Config:
        """JSON settings from which `load` rebuilds this prior, beside its tensors."""
        return {}

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Trained weights, as they go into model.safetensors. Integers and float32 only."""
        return {}

    @classmethod
    @abstractmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> Prior:
        """The prior of these settings and weights. Raises ModelError where they do not fit each other."""


class SteppedPrior(Prior):
    """p(x_t | x_<t), one step of all lanes at a time.

    The caller alternates `step` and the symbols it learned: first `step(state, None, rows)`, then
    `step(state, previous, rows)` with previous [n] int32, one symbol per live lane. n never grows from one step to the
    next; rows that disappear are the last ones. `state` is mutated in place."""

    def for_frame(self, frame: Frame) -> SteppedPrior:
        """This prior with the arithmetic of a frame (`Frame.kernel`) and what it is given: the same conditionals, to the bit."""
        return self

    def codec(self, frame: Frame) -> Codec:
        """The default codec: symbol by symbol."""
        from ..coding.symbolwise import Symbolwise  # here, because files that the core codes start faster without it

        return Symbolwise(self.for_frame(frame), frame)

    @abstractmethod
    def init(self, lanes: int, tokens: int) -> Any:
        """A fresh state for `lanes` rows that will code `tokens` tokens in all (to size tables by)."""

    @abstractmethod
    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """The next conditional of the first `rows` lanes, [rows, V]. The array may be reused by the next step."""

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """The conditionals of T steps whose symbols [n, T] are known, as an encoder's are, in blocks
        [steps, n, V]: the same bits as T calls of `step`, and the same state afterwards. A prior that can
        compute many steps at once (its parallel form) overrides this. A block may be reused by the next."""
        for t in range(symbols.shape[1]):
            yield self.step(state, previous, len(symbols))[None]
            previous = symbols[:, t].copy()


@runtime_checkable
class ReadsTokenizer(Protocol):
    """A prior that has to know the bytes of each token."""

    def for_tokenizer(self, tokenizer: Tokenizer) -> Prior:
        """This prior for the tokens of that tokenizer."""
