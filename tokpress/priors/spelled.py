"""The codec of tokens that are spelled (spelling.py): its loops are compiled, so it works on whole steps, not on bits.

The base is stepped as any prior is; `SpellingPrior` turns a step's pmf into the bits of the symbols, lane after lane.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..coding.base import (
    Codec,
    Frame,
    Pmf,
    Report,
    SteppedPrior,
    Tokens,
    Watch,
    check_temperature,
    silent,
    unwatched,
    with_threads,
)
from ..coding.coders import range_encoder
from ..coding.lanes import Layout
from ..coding.symbolwise import follow, known_conditionals
from ..tokens import TokenBuffer

if TYPE_CHECKING:
    from .spelling import SpellingPrior


class Spelled(Codec):
    def __init__(self, prior: "SpellingPrior", base: Any, frame: Frame) -> None:
        super().__init__(frame)
        self.prior, self.base = prior, base

    def stepped(self) -> list[SteppedPrior]:
        return [self.base]

    def _layout(self, count: int) -> Layout:
        return Layout.of(count, self.frame.lanes, self.prior.stride)

    @with_threads
    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        encoder = range_encoder()
        self._spell_known(
            self._layout(len(tokens)), tokens, report, lambda t, some, bits, rows, stops: encoder.push(bits, rows)
        )
        return encoder.finish()

    @with_threads
    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        from ..coding.coders import reference  # compiled

        layout, coder, prior = self._layout(count), reference.start(payload), self.prior
        state = prior.start(layout.lanes, layout.tokens)

        def choose(pmf: Pmf) -> Tokens:
            symbols, every = np.zeros(len(pmf), np.int32), slice(0, len(pmf))
            prior.take(state, pmf, every)
            prior.decode_spelled(state, symbols, every, True, coder)
            return symbols

        return follow(self.base, layout, choose, watch)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self.decode(noise, count, watch)

    @with_threads
    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token: the sum over its bits."""
        layout = self._layout(len(tokens))
        costs = np.zeros((layout.lanes, layout.steps))

        def take(t: int, some: slice, bits: Tokens, rows: Pmf, stops: np.ndarray) -> None:
            cost = np.cumsum(-np.log2(rows[np.arange(len(bits)), bits].astype(np.float64)))
            costs[some, t] = np.diff(np.append(0.0, cost)[stops], prepend=0.0)

        self._spell_known(layout, tokens, report, take)
        return costs.reshape(-1)[: layout.tokens]

    @with_threads
    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        """Each bit drawn from p^(1/temperature)."""
        check_temperature(temperature)
        layout, rng, prior = self._layout(count), np.random.default_rng(seed), self.prior
        state = prior.start(layout.lanes, layout.tokens)

        def draw(pmf: Pmf) -> Tokens:
            prior.take(state, pmf, slice(0, len(pmf)))
            return prior.draw_spelled(state, len(pmf), rng, temperature)

        return follow(self.base, layout, draw)

    def _spell_known(self, layout: Layout, tokens: TokenBuffer, report: Report, take: Callable[..., None]) -> None:
        """`take(step, some lanes, bits, pmf, stops)` hears the bits of tokens [N], as `SpellingPrior.spelled` gives them."""
        prior, grid, done = self.prior, layout.split(tokens), 0
        state = prior.start(layout.lanes, layout.tokens)
        for pmfs, symbols, at in known_conditionals(self.base, layout, grid):
            for t, (pmf, of_step) in enumerate(zip(pmfs, symbols), at):
                every = slice(0, len(of_step))
                prior.take(state, pmf, every)
                take(t, every, *prior.spelled(state, of_step, every, True))
            report(done := done + symbols.size)
