"""Bitwise coding: a symbol is a path of binary decisions. The prior learns each decision before it predicts the next.

    p(v) = Π_i p(b_i | b_1 … b_{i−1}, all symbols before)          b_1 b_2 … the bits of v

So a context-mixing model of bits can help to predict tokens. One loop walks the paths:

    encode: push the known bit │ decode: pop it │ score: add −log2 p │ sample: draw it

Within a step, lanes are coded one after another, so each lane learns from the bits of the lanes before it. A step may have stages:
all lanes code the first part of their symbols, then all the next part.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..lazy import np
from ..tokens import TokenBuffer, Tokens
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


class DecisionPaths(Protocol):
    @property
    def rules(self) -> FrameRules: ...

    def init(self, lanes: int, tokens: int) -> Any:
        """A fresh state, as `SteppedPrior.init` makes it."""

    def stages(self, state: Any, previous: Tokens | None, rows: int) -> Iterator[list[Generator[Pmf, int, int]]]:
        """A step of the first `rows` lanes, after their symbols [n] of the step before: stage after stage, the paths of all lanes.

        A path yields p of its next bit, [1, 2], receives the bit and learns it. The paths of the last stage return symbols."""

    def bits(self, symbol: int) -> Sequence[Sequence[int]]:
        """The bits of a symbol for each stage, in the order of its path."""


class Bitwise(Codec):
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
            layout, encoder, done = self._layout(len(tokens)), range_encoder(), 0
            decisions = self._decisions(layout, layout.split(tokens))

            def push(p: Pmf) -> int:
                _, bit = next(decisions)
                encoder.push(np.array([bit], np.int32), p)
                return bit

            def count(symbols: TokenBuffer) -> None:
                nonlocal done
                report(done := done + len(symbols))

            self._walk(layout, push, count)
            return encoder.finish()

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            decoder = range_decoder(payload)
            return self._walk(self._layout(count), lambda p: int(decoder.pop(p)[0]), watch)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token: the sum over its bits."""
        with self.limits():
            layout, done = self._layout(len(tokens)), 0
            decisions, costs = self._decisions(layout, layout.split(tokens)), np.zeros(layout.lanes * layout.steps)

            def add(p: Pmf) -> int:
                cell, bit = next(decisions)
                costs[cell] -= np.log2(float(p[0, bit]) / float(p[0, 0] + p[0, 1]))
                return bit

            def count(symbols: TokenBuffer) -> None:
                nonlocal done
                report(done := done + len(symbols))

            self._walk(layout, add, count)
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

            return self._walk(self._layout(count), draw)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            stack = Stack(noise, noise=True)
            return self._walk(self._layout(count), lambda p: int(stack.pop(p)[0]), watch)

    def _walk(self, layout: Layout, choose: Callable[[Pmf], int], watch: Watch = unwatched) -> Tokens:
        """Walk the paths of all symbols; `choose(p)` gives each bit. Returns the symbols [N]."""
        if not layout.tokens:
            return np.zeros(0, np.int32)
        state = self.prior.init(layout.lanes, layout.tokens)

        def step(previous: Tokens | None, rows: int) -> Tokens:
            symbols = []
            for paths in self.prior.stages(state, previous, rows):
                symbols = [_followed(path, choose) for path in paths]
            return np.array(symbols, np.int32)

        return take_steps(layout, step, watch)

    def _decisions(self, layout: Layout, grid: Tokens) -> Iterator[tuple[int, int]]:
        """(place in the grid [B, T], bit) of each decision of known symbols, in the order of the walk."""
        for rows, first, stop in layout.runs():
            for t in range(first, stop):
                for stage in zip(*(self.prior.bits(symbol) for symbol in grid[:rows, t].tolist())):
                    for lane, bits in enumerate(stage):
                        yield from ((lane * layout.steps + t, bit) for bit in bits)


def _followed(path: Generator[Pmf, int, int], choose: Callable[[Pmf], int]) -> int:
    try:
        p = next(path)
        while True:
            p = path.send(choose(p))
    except StopIteration as end:
        return int(end.value)
