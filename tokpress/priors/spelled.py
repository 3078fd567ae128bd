"""The codec of tokens that are spelled (spelling.py): its loops are compiled, so it works on whole steps, not on bits.

The base is stepped as any prior is; `SpellingPrior` turns a step's pmf into the bits of the symbols. Lanes are spelled one after
the other, which only one thread can do. If the base's lanes are independent, another thread goes on meanwhile with the lanes that
are through:

    caller       spell the first lanes │ spell the rest, learn │ next step of the rest
    the other                          │ next step of the first lanes
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
from ..coding.row_wise import shares_rows
from ..coding.symbolwise import Growing, InBlocks, follow, known_conditionals
from ..exact.threads import share_after
from ..tokens import TokenBuffer

if TYPE_CHECKING:
    from .spelling import SpellingPrior

#: of the lanes, what the other thread has: where both are ready at the same time, about
EARLY = 0.52
#: (step, symbols [n], some lanes, whether they end the step): codes the symbols of these lanes, or fills them in
Spell = Callable[[int, Tokens, slice, bool], None]


class Spelled(Codec):
    def __init__(self, prior: "SpellingPrior", base: Any, frame: Frame) -> None:
        super().__init__(frame)
        self.prior, self.base = prior, base

    def stepped(self) -> list[SteppedPrior]:
        return [self.base]

    def _layout(self, count: int) -> Layout:
        return Layout.of(count, self.frame.lanes, self.prior.stride)

    def _overlaps(self, layout: Layout) -> bool:
        return layout.tokens > 0 and shares_rows(self.base, layout.lanes)

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
        if self._overlaps(layout):

            def spell(t: int, symbols: Tokens, some: slice, ends: bool) -> None:
                prior.decode_spelled(state, symbols, some, ends, coder)

            return self._overlapping(state, layout, spell, watch)

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
        if self._overlaps(layout):

            def spell(t: int, symbols: Tokens, some: slice, ends: bool) -> None:
                symbols[some] = grid[some, t]
                take(t, some, *prior.spelled(state, symbols, some, ends))

            def count(symbols: TokenBuffer) -> None:
                nonlocal done
                report(done := done + len(symbols))

            self._overlapping(state, layout, spell, count)
            return
        for pmfs, symbols, at in known_conditionals(self.base, layout, grid):
            for t, (pmf, of_step) in enumerate(zip(pmfs, symbols), at):
                every = slice(0, len(of_step))
                prior.take(state, pmf, every)
                take(t, every, *prior.spelled(state, of_step, every, True))
            report(done := done + symbols.size)

    def _overlapping(self, state: Any, layout: Layout, spell: Spell, watch: Watch) -> Tokens:
        """All steps of lanes that are independent. Returns the symbols [N]."""
        watched = InBlocks(watch)
        steps = _Steps(self.prior, self.base, state, layout, spell, watched)
        for rows, first, stop in layout.runs():
            for _ in range(first, stop):
                steps.step(rows)
        steps.finish()
        watched.finish()
        return steps.grid.join()


class _Steps:
    """Steps of the base of a prior, and `spell` for each. `finish` is owed where a step has been left half done."""

    def __init__(
        self, prior: "SpellingPrior", base: Any, state: Any, layout: Layout, spell: Spell, watched: InBlocks
    ) -> None:
        self.watched, self.base = watched, base
        self.prior, self.state, self.spell, self.grid = prior, state, spell, Growing(layout)
        self.of_base = self.base.init(layout.lanes, layout.tokens)
        self.symbols, self.spelled, self.at = np.zeros(0, np.int32), 0, -1

    def finish(self) -> None:
        """Spell what is left of the last step."""
        rows = len(self.symbols)
        if self.spelled < rows:
            self.spell(self.at, self.symbols, slice(self.spelled, rows), True)
        self.spelled = rows
        self.grid.put(self.symbols[:, None], self.at)
        self.watched.add(self.symbols)

    def step(self, rows: int) -> None:
        previous = self.symbols[:rows] if self.at >= 0 else None

        def begin() -> None:
            if previous is not None:
                self.finish()
            self.base.learn(self.of_base, previous)

        def some_rows(some: slice, ready: Callable[[], Any]) -> None:
            self.prior.take(self.state, self.base.some_rows(self.of_base, previous, some, ready), some)

        early = round(EARLY * rows)
        share_after(begin, some_rows, rows, early)
        self.symbols, self.spelled, self.at = np.zeros(rows, np.int32), early, self.at + 1
        self.spell(self.at, self.symbols, slice(0, early), False)
