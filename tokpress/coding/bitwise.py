"""Bitwise coding: a symbol is a path of binary decisions. The prior learns each decision before it predicts the next.

    p(v) = Π_i p(b_i | b_1 … b_{i−1}, all symbols before)          b_1 b_2 … the bits of v

So a context-mixing model of bits can help to predict tokens. One loop walks the paths:

    encode: push the known bit │ decode: pop it │ score: add −log2 p │ sample: draw it

Within a step, lanes are coded one after another, so each lane learns from the bits of the lanes before it. A step may have stages:
some lanes code a part of their symbols, then the same or other lanes the next part.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array
from .base import (
    Codec,
    Frame,
    Pmf,
    Report,
    Stepped,
    Watch,
    check_temperature,
    silent,
    unwatched,
)
from .coders import range_decoder, range_encoder
from .coders.stack import Stack
from .lanes import FrameRules, Layout
from .symbolwise import take_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


Path = Generator[Pmf, int, int]


class Stage(NamedTuple):
    """The paths of the lanes from `first` on through one part of their symbols.

    A path yields p of its next bit, [1, 2], receives the bit and learns it. The path of a symbol's last part returns the symbol."""

    first: int
    part: int
    paths: Sequence[Path]


class DecisionPaths(Protocol):
    @property
    def rules(self) -> FrameRules: ...

    def init(self, lanes: int, tokens: int) -> Any:
        """A fresh state, as `SteppedPrior.init` makes it."""

    def stages(self, state: Any, previous: Tokens | None, rows: int) -> Iterator[Stage]:
        """A step of the first `rows` lanes, after their symbols [n] of the step before, in stages. The paths of a stage are walked in order
        before the next stage is asked for."""

    def bits(self, symbol: int) -> Sequence[Sequence[int]]:
        """The bits of a symbol, part after part, in the order of its path."""


#: chooses the next bit of a path, given its p
Choice = Callable[[Pmf], int]


class Bitwise(Codec):
    reads_context = True

    def __init__(self, prior: DecisionPaths, frame: Frame) -> None:
        super().__init__(frame)
        self.prior = prior

    def stepped(self) -> list[Stepped]:
        """No priors: only the bits of symbols have conditionals."""
        return []

    def _layout(self, count: int) -> Layout:
        return Layout.divide(count, self.frame.lanes, self.prior.rules.stride)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        with self.limits():
            encoder = range_encoder()

            def push(p: Pmf, cell: int, bit: int) -> None:
                encoder.push(np.array([bit], np.int32), p)

            self._walk_known(tokens, push, report)
            return encoder.finish()

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            decoder = range_decoder(payload)
            return self._walk(self._layout(count), lambda cell, part: lambda p: int(decoder.pop(p)[0]), watch)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token: the sum over its bits."""
        with self.limits():
            layout = self._layout(len(tokens))
            costs = np.zeros(layout.lanes * layout.steps)

            def add(p: Pmf, cell: int, bit: int) -> None:
                costs[cell] -= np.log2(float(p[0, bit]) / float(p[0, 0] + p[0, 1]))

            self._walk_known(tokens, add, report)
            return costs[: layout.tokens]

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        """Each bit drawn from p^(1/temperature)."""
        with self.limits():
            check_temperature(temperature)
            rng = np.random.default_rng(seed)

            def draw(p: Pmf) -> int:
                with np.errstate(over="ignore"):
                    odds = np.exp((np.log(float(p[0, 0])) - np.log(float(p[0, 1]))) / temperature)  # of 0 against 1
                return int(rng.random() * (1 + odds) >= odds)

            return self._walk(self._layout(count), lambda cell, part: draw)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            stack = Stack(noise, noise=True)
            return self._walk(self._layout(count), lambda cell, part: lambda p: int(stack.pop(p)[0]), watch)

    def _walk(self, layout: Layout, choice: Callable[[int, int], Choice], watch: Watch = unwatched) -> Tokens:
        """Walk the paths of all symbols; `choice(cell, part)` chooses the bits of a part of the symbol in a cell of the grid [B, T]. Returns
        the symbols [N]."""
        if not layout.tokens:
            return np.zeros(0, np.int32)
        (state, last), steps = self._begin(layout), count()

        def step(previous: Tokens | None, rows: int) -> Tokens:
            t, symbols = next(steps), np.zeros(rows, np.int32)
            for first, part, paths in self.prior.stages(state, previous, rows):
                for lane, path in enumerate(paths, first):
                    symbols[lane] = _followed(path, choice(lane * layout.steps + t, part))
            return symbols

        return take_steps(layout, step, watch, last, self.frame.watch_every)

    def _begin(self, layout: Layout) -> tuple[Any, Tokens | None]:
        """(a state that has read the context, the symbol before those of the layout)."""
        context = self.frame.context
        if context is None:
            return self.prior.init(layout.lanes, layout.tokens), None
        state, previous = self.prior.init(1, context.room(layout.tokens)), None
        for symbol in as_array(context.tokens):
            bits = self.prior.bits(int(symbol))
            for _, part, paths in self.prior.stages(state, previous, 1):
                for path in paths:
                    _followed(path, _known(bits[part]))
            previous = np.array([symbol], np.int32)
        return state, previous

    def _walk_known(self, tokens: TokenBuffer, take: Callable[[Pmf, int, int], None], report: Report) -> None:
        """Walk the paths of known symbols: `take(p, cell, bit)` gets each decision."""
        layout, done = self._layout(len(tokens)), 0
        known = layout.split(tokens).reshape(-1)

        def choice(cell: int, part: int) -> Choice:
            next_bit = _known(self.prior.bits(int(known[cell]))[part])

            def choose(p: Pmf) -> int:
                take(p, cell, bit := next_bit(p))
                return bit

            return choose

        def watch(symbols: TokenBuffer) -> None:
            nonlocal done
            report(done := done + len(symbols))

        self._walk(layout, choice, watch)


def _known(bits: Sequence[int]) -> Choice:
    """Choose these bits, one after another."""
    left = iter(bits)
    return lambda p: next(left)


def _followed(path: Path, choose: Choice) -> int:
    try:
        p = next(path)
        while True:
            p = path.send(choose(p))
    except StopIteration as end:
        return int(end.value)
