"""Class-factored coding: a symbol's group, then its rank within the group.

    p(v) = p(g) · p(r | g)          G groups of R symbols, V = G · R (Goodman 2001, "Classes for fast maximum entropy training", §2)

Each step codes the groups of all lanes, then their ranks. Neither side ever computes the probabilities of all V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..lazy import np
from ..tokens import TokenBuffer
from .base import Codec, Frame, Pmf, Report, SteppedPrior, Tokens, Watch, silent, unwatched, with_threads
from .coders import range_decoder, range_encoder
from .lanes import Layout
from .levels import Levels
from .symbolwise import Symbolwise, take_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FactoredPrior(SteppedPrior, Protocol):
    """A prior that predicts groups, then ranks. Its `step` gives the probabilities of all symbols: samplers use it."""

    def groups(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """Begin a step, as `step` does: p(g) of the next symbol of the first `rows` lanes, [n, G]."""

    def ranks(self, state: Any, group: Tokens) -> Pmf:
        """p(r | g) [n, R] of the same lanes, whose groups [n] are known now."""


class ClassFactored(Codec):
    def __init__(self, prior: FactoredPrior, levels: Levels, frame: Frame) -> None:
        super().__init__(frame)
        self.prior, self.levels = prior, levels
        self._all_symbols = Symbolwise(prior, frame)

    def stepped(self) -> list[SteppedPrior]:
        return [self.prior]

    def _layout(self, count: int) -> Layout:
        return Layout.of(count, self.frame.lanes, self.prior.stride)

    @with_threads
    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        layout, encoder, done = self._layout(len(tokens)), range_encoder(), 0
        if not layout.tokens:
            return encoder.finish()
        grid, state = layout.split(tokens), self.prior.init(layout.lanes, layout.tokens)
        for _, group, rank, of_group, of_rank in self._known(state, layout, grid):
            encoder.push(group, of_group)
            encoder.push(rank, of_rank)
            report(done := done + len(group))
        return encoder.finish()

    @with_threads
    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        layout = self._layout(count)
        if not layout.tokens:
            return np.zeros(0, np.int32)
        state = self.prior.init(layout.lanes, layout.tokens)
        decoder = range_decoder(payload)

        def step(previous: Tokens | None, rows: int) -> Tokens:
            group = decoder.pop(self.prior.groups(state, previous, rows))
            return self.levels.join(group, decoder.pop(self.prior.ranks(state, group)))

        return take_steps(layout, step, watch)

    @with_threads
    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token: of its group, and of its rank within the group."""
        layout, done = self._layout(len(tokens)), 0
        if not layout.tokens:
            return np.zeros(0)
        bits, state = np.zeros((layout.lanes, layout.steps)), self.prior.init(layout.lanes, layout.tokens)
        for t, group, rank, of_group, of_rank in self._known(state, layout, layout.split(tokens)):
            for symbols, pmf in ((group, of_group), (rank, of_rank)):
                p = pmf[np.arange(len(pmf)), symbols].astype(np.float64) / pmf.sum(1, dtype=np.float64)
                bits[: len(pmf), t] -= np.log2(np.maximum(p, 2.0**-24))
            report(done := done + len(group))
        return bits.reshape(-1)[: layout.tokens]

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        return self._all_symbols.sample(count, seed, temperature)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self._all_symbols.decode_noise(noise, count, watch)

    def _known(self, state: Any, layout: Layout, grid: Tokens) -> Iterator[tuple[int, Tokens, Tokens, Pmf, Pmf]]:
        """(step, groups [n], ranks [n], pmf [n, G], pmf [n, R]) of known symbols [B, T]."""
        previous: Tokens | None = None
        groups, ranks = self.levels.split(grid)
        for rows, first, stop in layout.runs():
            previous = None if previous is None else previous[:rows]
            for t in range(first, stop):
                group = np.ascontiguousarray(groups[:rows, t])
                of_group = self.prior.groups(state, previous, rows)
                of_rank = self.prior.ranks(state, group)
                yield t, group, np.ascontiguousarray(ranks[:rows, t]), of_group, of_rank
                previous = np.ascontiguousarray(grid[:rows, t])
