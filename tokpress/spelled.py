"""Encode, decode, score and sample with a prior whose symbols are coded bit by bit (`types.SpelledPrior`).

Its base is stepped as any prior is; what a step's pmf makes of each bit is the spelling prior's matter. Lanes are spelled one after
the other, which only one thread can do. Of a base whose lanes are independent, another thread goes on meanwhile with those that
are through:

    caller       spell the first lanes │ spell the rest, learn │ next step of the rest
    the other                          │ next step of the first lanes
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .coders import RangeEncoder
from .conditionals import Growing, InBlocks, Report, follow, known_conditionals
from .exact.threads import one_blas_thread, share_after
from .lanes import Layout
from .priors.row_wise import shares_rows
from .types import Pmf, SpelledPrior, Tokens
from .watch import Watch

#: of the lanes, what the other thread has: where both are ready at the same time, about
EARLY = 0.52
#: (step, symbols [n], some lanes, whether they end the step): codes the symbols of these lanes, or fills them in
Spell = Callable[[int, Tokens, slice, bool], None]


class _Steps:
    """Steps of the base of a prior, and `spell` for each. `finish` is owed where a step has been left half done."""

    def __init__(self, prior: SpelledPrior, state: Any, layout: Layout, spell: Spell, watched: InBlocks) -> None:
        self.watched = watched
        self.prior, self.state, self.spell, self.grid = prior, state, spell, Growing(layout)
        self.base: Any = prior.base
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


def _overlapping(prior: SpelledPrior, state: Any, layout: Layout, spell: Spell, watch: Watch) -> Tokens:
    """All steps of lanes that are independent. Returns the symbols [N]."""
    watched = InBlocks(watch)
    steps = _Steps(prior, state, layout, spell, watched)
    for rows, first, stop in layout.runs():
        for _ in range(first, stop):
            steps.step(rows)
    steps.finish()
    watched.finish()
    return steps.grid.join()


def _overlaps(prior: SpelledPrior, layout: Layout) -> bool:
    return layout.tokens > 0 and shares_rows(prior.base, layout.lanes)


def _spell_known(
    prior: SpelledPrior, layout: Layout, tokens: Tokens, report: Report, take: Callable[..., None]
) -> None:
    """`take(step, some lanes, bits, pmf, stops)` hears what `SpelledPrior.spelled` makes of tokens [N]."""
    state, grid, done = prior.start(layout.lanes, layout.tokens), layout.split(tokens), 0
    if _overlaps(prior, layout):

        def spell(t: int, symbols: Tokens, some: slice, ends: bool) -> None:
            symbols[some] = grid[some, t]
            take(t, some, *prior.spelled(state, symbols, some, ends))

        def told(symbols: Tokens) -> None:
            nonlocal done
            report(done := done + symbols.size)

        _overlapping(prior, state, layout, spell, told)
        return
    for pmfs, symbols, at in known_conditionals(prior.base, layout, grid):
        for t, (pmf, of_step) in enumerate(zip(pmfs, symbols), at):
            every = slice(0, len(of_step))
            prior.take(state, pmf, every)
            take(t, every, *prior.spelled(state, of_step, every, True))
        report(done := done + symbols.size)


@one_blas_thread()
def encode(prior: SpelledPrior, tokens: Tokens, lanes: int, report: Report) -> bytes:
    """Tokens [N] → the coder's bytes."""
    encoder = RangeEncoder()
    layout = Layout.of(len(tokens), lanes, prior.stride)
    _spell_known(prior, layout, tokens, report, lambda t, some, bits, rows, stops: encoder.push(bits, rows))
    return encoder.finish()


@one_blas_thread()
def decode(prior: SpelledPrior, payload: bytes, count: int, lanes: int, watch: Watch) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell."""
    from .coders import reference  # compiled

    layout, coder = Layout.of(count, lanes, prior.stride), reference.start(payload)
    state = prior.start(layout.lanes, layout.tokens)
    if _overlaps(prior, layout):

        def spell(t: int, symbols: Tokens, some: slice, ends: bool) -> None:
            prior.decode_spelled(state, symbols, some, ends, coder)

        return _overlapping(prior, state, layout, spell, watch)

    def choose(pmf: Pmf) -> Tokens:
        symbols, every = np.zeros(len(pmf), np.int32), slice(0, len(pmf))
        prior.take(state, pmf, every)
        prior.decode_spelled(state, symbols, every, True, coder)
        return symbols

    return follow(prior.base, layout, choose, watch)


@one_blas_thread()
def score(prior: SpelledPrior, tokens: Tokens, lanes: int, report: Report) -> np.ndarray:
    """−log2 p of each token [N] float64: of all its bits."""
    layout = Layout.of(len(tokens), lanes, prior.stride)
    costs = np.zeros((layout.lanes, layout.steps))

    def take(t: int, some: slice, bits: Tokens, rows: Pmf, stops: np.ndarray) -> None:
        cost = np.cumsum(-np.log2(rows[np.arange(len(bits)), bits].astype(np.float64)))
        costs[some, t] = np.diff(np.append(0.0, cost)[stops], prepend=0.0)

    _spell_known(prior, layout, tokens, report, take)
    return costs.reshape(-1)[: layout.tokens]


@one_blas_thread()
def sample(prior: SpelledPrior, count: int, seed: int | None, temperature: float, lanes: int) -> Tokens:
    """Each bit drawn from p^(1/temperature)."""
    layout, rng = Layout.of(count, lanes, prior.stride), np.random.default_rng(seed)
    state = prior.start(layout.lanes, layout.tokens)

    def draw(pmf: Pmf) -> Tokens:
        prior.take(state, pmf, slice(0, len(pmf)))
        return prior.draw_spelled(state, len(pmf), rng, temperature)

    return follow(prior.base, layout, draw)
