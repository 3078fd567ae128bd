"""The contract of every prior: p(x_t | x_<t), one step of all lanes at a time.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──Prior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from ..coding.base import Codec, Frame, Pmf
from ..coding.lanes import default_lanes
from ..errors import TokpressError
from ..exact.orders import Order, arrange, restore
from ..lazy import np
from ..media.grid import Grid
from ..tokenizers.base import Config, Tokenizer
from ..tokens import TokenBuffer, Tokens, as_array


class Prior(ABC):
    """p(x_t | x_<t) one step at a time, computed exactly (docs/exactness.md).

    The caller alternates `step` and the symbols it learned: first `step(state, None)`, then
    `step(state, previous)` with previous [n] int32, one symbol per live lane. n never grows from one
    step to the next; rows that disappear are the last ones. `state` is mutated in place. Nothing a
    prior learns while coding is kept on the prior itself, so one prior may serve many states.
    """

    name: str
    vocab_size: int
    #: lanes may only begin at multiples of this many tokens (2 where two tokens make a byte, an item's where there are)
    stride: int = 1
    #: of items (pictures): the order in which an item's tokens are coded (`orders`); None for sequences without end
    order: Order | None = None
    #: lanes of a frame of items
    most_lanes: int = 512
    #: tokens that a byte of payload may stand for (`container.proportion`): 1/32 bit each. Part of the format
    tokens_a_byte: int = 1 << 8

    def lanes(self, tokens: int) -> int:
        """Lanes of a frame of so many tokens that does not say otherwise: part of the format."""
        return default_lanes(tokens) if self.order is None else max(1, min(-(-tokens // self.stride), self.most_lanes))

    def lanes_taken(self, tokens: int) -> int:
        """Lanes in which an encoder that is told nothing codes so many tokens. The frame tells them where the rule says others."""
        return self.lanes(tokens)

    def arrange(self, tokens: TokenBuffer) -> TokenBuffer:
        """Tokens [N] as they are coded: in which order, and by which symbols where those are others."""
        return tokens if self.order is None else arrange(as_array(tokens), self.order)

    def restore(self, tokens: TokenBuffer) -> TokenBuffer:
        """The reverse of `arrange`."""
        return tokens if self.order is None else restore(as_array(tokens), self.order)

    def in_place(self, bits: np.ndarray) -> np.ndarray:
        """What coding each symbol took [N], in the order of the tokens."""
        return bits if self.order is None else restore(bits, self.order)

    #: whether it predicts samples, pixels or sound, and has to be told where they are (`on`)
    wants_grid: bool = False

    def on(self, grid: Grid | None, tokens: int) -> Prior:
        """This prior for one source of so many tokens, whose samples lie on this grid; None: there are none."""
        return self

    #: whether it predicts an item from another one that both sides have (`bind`)
    wants_given: bool = False

    def bind(self, given: TokenBuffer) -> Prior:
        """This prior with what it conditions on, p(y | x): the tokens [M] of x. Raises TokpressError where it takes none."""
        raise TokpressError(f"a {self.name} prior predicts from nothing but what came before; leave --given out")

    def for_tokenizer(self, tokenizer: Tokenizer) -> Prior:
        """This prior for the tokens of that tokenizer, where it has to know their bytes."""
        return self

    def for_frame(self, frame: Frame) -> Prior:
        """This prior with the arithmetic for a frame (`Frame.kernel`): the same conditionals, to the bit."""
        return self

    def codec(self, frame: Frame) -> Codec:
        """The codec of one frame: symbol by symbol, unless the prior has one of its own."""

        from ..coding.symbolwise import Symbolwise  # here, because files that the core codes start faster without it

        return Symbolwise(self.for_frame(frame), frame)

    @property
    def starts_empty(self) -> bool:
        """Whether it begins with nothing learned, and so gains most on a longer file."""
        return not self.tensors()

    @abstractmethod
    def init(self, lanes: int, tokens: int) -> Any:
        """A fresh state for `lanes` rows that will code `tokens` tokens in all (to size tables by)."""

    @abstractmethod
    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """The next conditional of the first `rows` lanes, [rows, V]. The array may be reused by the next step."""

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """The conditionals of T steps whose symbols [n, T] are known already, as an encoder's are, in blocks
        [steps, n, V]: the same bits as T calls of `step`, and the same state afterwards. A prior that can
        compute many steps at once (its parallel form) overrides this. A block may be reused by the next."""
        for t in range(symbols.shape[1]):
            yield self.step(state, previous, len(symbols))[None]
            previous = symbols[:, t].copy()

    def config(self) -> Config:
        return {}

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Trained weights, as they go into model.safetensors. Integers and float32 only."""
        return {}

    @classmethod
    @abstractmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> Prior: ...


class NotStepped(Prior):
    """A prior that codes otherwise than symbol by symbol (whole items, bits), so that no symbol has a conditional that could be
    stepped. It defines `codec`."""

    def init(self, lanes: int, tokens: int) -> Any:
        raise TokpressError(f"the prior {self.name} does not predict one symbol after the other")

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        return self.init(rows, rows)
