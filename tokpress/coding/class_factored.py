"""Class-factored coding: a symbol's group, then its rank within the group.

    p(v) = p(g) · p(r | g)          G groups of R symbols, V = G · R (Goodman 2001, "Classes for fast maximum entropy training", §2)

Each step codes the groups of all lanes, then their ranks. Neither side ever computes the probabilities of all V symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from ..exact.threads import share_rows
from ..lazy import np
from ..tokens import TokenBuffer
from .base import Codec, Frame, Pmf, Report, SteppedPrior, Tokens, Watch, silent, unwatched, with_threads
from .coders import range_decoder, range_encoder
from .lanes import Layout
from .levels import Levels
from .row_wise import after_learning
from .symbolwise import REPORT_EVERY, Symbolwise, decode_by_loop, take_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Loop(Protocol):
    """The steps of a frame as one compiled loop: the interpreter between them costs time."""

    def decode(self, coder: Any, previous: Tokens | None, rows: int, steps: int) -> Tokens:
        """The next symbols [rows, steps] from `coders.reference` words and decoder. Raises ChecksumError."""

    def encode(self, writer: Any, previous: Tokens | None, symbols: Tokens) -> None:
        """Code the next symbols [rows, steps] with a `coders.reference` writer."""


class FactoredPrior(SteppedPrior, Protocol):
    """A prior that predicts groups, then ranks. Its `step` gives the probabilities of all symbols: samplers use it."""

    def shares_rows(self, rows: int) -> bool:
        """Whether a step of so many lanes is worth two threads."""

    def learn(self, state: Any, previous: Tokens | None) -> None:
        """The part of a step that concerns all lanes; called once, before or while `some_groups` is."""

    def some_groups(self, state: Any, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        """p(g) of the next symbol of these lanes, [n, G]: a new array. It calls `ready`, which waits until `learn` is
        done, before it depends on that."""

    def some_ranks(self, state: Any, group: Tokens, some: slice) -> Pmf:
        """p(r | g) of these lanes, whose groups [n] are known now, [n, R]: a new array."""

    def loop(self, state: Any) -> Loop | None:
        """The compiled loop over this state, if there is one."""


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
        if loop := self.prior.loop(state):
            return _encode_by_loop(loop, layout, grid, report)
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
        if loop := self.prior.loop(state):
            return decode_by_loop(loop.decode, payload, layout, watch)
        return take_steps(layout, self._decode_step(state, range_decoder(payload)), watch)

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
                parts = after_learning(self.prior, state, previous, rows, self._both(state, previous, group))
                of_group, of_rank = (_joined(list(part)) for part in zip(*parts))
                yield t, group, np.ascontiguousarray(ranks[:rows, t]), of_group, of_rank
                previous = np.ascontiguousarray(grid[:rows, t])

    def _both(self, state: Any, previous: Tokens | None, group: Tokens) -> Callable[..., tuple[Pmf, Pmf]]:
        """A function of some lanes, whose groups are known: their (pmf [n, G], pmf [n, R])."""

        def both(some: slice, ready: Callable[[], Any]) -> tuple[Pmf, Pmf]:
            of_group = self.prior.some_groups(state, previous, some, ready)
            return of_group, self.prior.some_ranks(state, group[some], some)

        return both

    def _decode_step(self, state: Any, decoder: Any) -> Callable[[Tokens | None, int], Tokens]:
        """A function that decodes the symbols [n] of the next step."""
        prior = self.prior

        def step(previous: Tokens | None, rows: int) -> Tokens:
            def groups(some: slice, ready: Callable[[], Any]) -> Pmf:
                return prior.some_groups(state, previous, some, ready)

            def ranks(some: slice) -> Pmf:
                return prior.some_ranks(state, group[some], some)

            group = decoder.pop(_joined(after_learning(prior, state, previous, rows, groups)))
            parts = share_rows(ranks, rows) if prior.shares_rows(rows) else [ranks(slice(0, rows))]
            return self.levels.join(group, decoder.pop(_joined(parts)))

        return step


def _encode_by_loop(loop: Loop, layout: Layout, grid: Tokens, report: Report) -> bytes:
    from .coders.reference import Writer  # compiled

    writer, previous, done = Writer(), None, 0
    for rows, first, stop in layout.runs():
        at_once = max(1, REPORT_EVERY // rows)
        for at in range(first, stop, at_once):
            symbols = np.ascontiguousarray(grid[:rows, at : min(at + at_once, stop)])
            loop.encode(writer, previous, symbols)
            previous = symbols[:, -1].copy()
            report(done := done + symbols.size)
    return writer.finish()


def _joined(parts: list[Pmf]) -> Pmf:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
