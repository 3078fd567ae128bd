"""The contract of every prior, and of priors that are stepped.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──SteppedPrior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..coding.base import Codec, Frame, Pmf, step
from ..coding.lanes import FrameRules
from ..tokenizers.base import Config, Tokenizer
from ..tokens import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Prior(ABC):
    """p(x_1 … x_N) of a frame's tokens, computed exactly (docs/exactness.md).

    A prior is immutable: the codec of a frame holds what it learns while coding, so one prior may serve many frames at once.
    Most priors are stepped (`SteppedPrior`); others code bits, samples or items, with a codec of their own."""

    name: str
    vocab_size: int
    #: the layout of tokens in a frame
    rules: FrameRules = FrameRules()

    @abstractmethod
    def codec(self, frame: Frame) -> Codec:
        """The codec of one frame."""

    def config(self) -> Config:
        """JSON settings from which `load` rebuilds this prior, beside its tensors."""
        return {}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Trained weights for model.safetensors: integers and float32 only."""
        return {}

    @classmethod
    @abstractmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> Prior:
        """The prior with these settings and weights. Raises ModelError where they do not match."""


class SteppedPrior(Prior):
    """p(x_t | x_<t), one step of all lanes at a time.

    The first call is `step(state, None, rows)`. Each later call, `step(state, previous, rows)`, gets the symbols of the step before:
    previous [n] int32, one per live lane. n never grows; lanes end from the last one on. `state` is mutated in place."""

    def for_frame(self, frame: Frame) -> SteppedPrior:
        """This prior with the kernel and the given tokens of a frame. The kernel changes no bit of the conditionals."""
        return self

    def codec(self, frame: Frame) -> Codec:
        """The default codec: symbol by symbol."""
        from ..coding.symbolwise import Symbolwise  # imports numpy

        return Symbolwise(self.for_frame(frame), frame)

    @abstractmethod
    def init(self, lanes: int, tokens: int) -> Any:
        """A new state for `lanes` rows. tokens: number of tokens of the frame, to size tables by."""

    def init_groups(self, sizes: Sequence[int], tokens: int) -> list[Any]:
        """New states of groups of lanes that are stepped in turn. By default the groups share nothing."""
        return [self.init(lanes, tokens) for lanes in sizes]

    def learn(self, state: Any, symbols: Tokens) -> None:
        """Learn the symbols [n] of the last step where other groups profit; the next step learns nothing twice. By default there is
        nothing to share."""

    @abstractmethod
    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """The next conditional of the first `rows` lanes, [rows, V]. The next step may reuse the array."""

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """The conditionals of T steps with known symbols [n, T], in blocks [steps, n, V].

        They have the same bits as T calls of `step`, and leave the same state. A prior with a parallel form overrides this. The next
        block may reuse the array."""
        for t in range(symbols.shape[1]):
            yield step(self, state, previous, len(symbols))[None]
            previous = symbols[:, t].copy()


@runtime_checkable
class ReadsTokenizer(Protocol):
    """A prior that uses the bytes of each token."""

    def for_tokenizer(self, tokenizer: Tokenizer) -> Prior:
        """This prior for the tokens of a tokenizer."""


@runtime_checkable
class MixesBits(Protocol):
    """A prior that mixes the bits of tokens, so that no probabilities of tokens are known after mixing."""

    def before_mixing(self) -> SteppedPrior:
        """The prior of tokens whose probabilities are mixed."""
