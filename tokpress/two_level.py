"""Encode, decode and score with a prior that predicts a symbol's group, then the symbol within it (`types.TwoLevel`).

A step is two: the groups of all lanes, then their ranks. Neither side ever has the probabilities of all symbols.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .coders import RangeDecoder, RangeEncoder
from .conditionals import REPORT_EVERY, Report, decode_by_loop, take_steps
from .exact.threads import one_blas_thread, share_rows
from .lanes import Layout
from .priors.row_wise import after_learning
from .types import LevelLoop, Pmf, Tokens, TwoLevel
from .watch import Watch


def _known(prior: TwoLevel, state: Any, layout: Layout, grid: Tokens) -> Iterator[tuple[int, Tokens, Tokens, Pmf, Pmf]]:
    """(step, groups [n], ranks [n], pmf [n, G], pmf [n, R]) of symbols [B, T] that are known."""
    previous: Tokens | None = None
    groups, ranks = prior.levels.split(grid)
    for rows, first, stop in layout.runs():
        previous = None if previous is None else previous[:rows]
        for t in range(first, stop):
            group = np.ascontiguousarray(groups[:rows, t])
            parts = after_learning(prior, state, previous, rows, _both(prior, state, previous, group))
            of_group, of_rank = (_joined(list(part)) for part in zip(*parts))
            yield t, group, np.ascontiguousarray(ranks[:rows, t]), of_group, of_rank
            previous = np.ascontiguousarray(grid[:rows, t])


def _both(prior: TwoLevel, state: Any, previous: Tokens | None, group: Tokens) -> Callable[..., tuple[Pmf, Pmf]]:
    """What gives (pmf [n, G], pmf [n, R]) of some lanes, whose groups are known."""

    def both(some: slice, ready: Callable[[], Any]) -> tuple[Pmf, Pmf]:
        return prior.some_groups(state, previous, some, ready), prior.some_ranks(state, group[some], some)

    return both


@one_blas_thread()
def encode(prior: TwoLevel, tokens: Tokens, lanes: int, report: Report) -> bytes:
    """Tokens [N] → the coder's bytes."""
    layout, done = Layout.of(len(tokens), lanes, prior.stride), 0
    grid = layout.split(tokens)
    state = prior.init(layout.lanes, layout.tokens) if layout.tokens else None
    if layout.tokens and (loop := prior.loop(state)):
        return encode_by_loop(loop, layout, grid, report)
    encoder = RangeEncoder()
    for _, group, rank, of_group, of_rank in _known(prior, state, layout, grid):
        encoder.push(group, of_group, one_step=True)
        encoder.push(rank, of_rank, one_step=True)
        report(done := done + len(group))
    return encoder.finish()


def encode_by_loop(loop: LevelLoop, layout: Layout, grid: Tokens, report: Report) -> bytes:
    from .coders.reference import Writer

    writer, previous, done = Writer(), None, 0
    for rows, first, stop in layout.runs():
        at_once = max(1, REPORT_EVERY // rows)
        for at in range(first, stop, at_once):
            symbols = np.ascontiguousarray(grid[:rows, at : min(at + at_once, stop)])
            loop.encode(writer, previous, symbols)
            previous = symbols[:, -1].copy()
            report(done := done + symbols.size)
    return writer.finish()


@one_blas_thread()
def decode(prior: TwoLevel, payload: bytes, count: int, lanes: int, watch: Watch) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell."""
    layout = Layout.of(count, lanes, prior.stride)
    if not layout.tokens:
        return np.zeros(0, np.int32)
    state = prior.init(layout.lanes, layout.tokens)
    if loop := prior.loop(state):
        return decode_by_loop(loop.decode, payload, layout, watch)
    return take_steps(layout, _decode_step(prior, state, RangeDecoder(payload)), watch)


def _decode_step(prior: TwoLevel, state: Any, decoder: RangeDecoder) -> Callable[[Tokens | None, int], Tokens]:
    """What gives the symbols [n] of the next step."""

    def step(previous: Tokens | None, rows: int) -> Tokens:
        def groups(some: slice, ready: Callable[[], Any]) -> Pmf:
            return prior.some_groups(state, previous, some, ready)

        def ranks(some: slice) -> Pmf:
            return prior.some_ranks(state, group[some], some)

        group = decoder.pop(_joined(after_learning(prior, state, previous, rows, groups)), one_step=True)
        parts = share_rows(ranks, rows) if prior.shares_rows(rows) else [ranks(slice(0, rows))]
        return prior.levels.join(group, decoder.pop(_joined(parts), one_step=True))

    return step


def _joined(parts: list[Pmf]) -> Pmf:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


@one_blas_thread()
def score(prior: TwoLevel, tokens: Tokens, lanes: int, report: Report) -> np.ndarray:
    """−log2 p of each token [N] float64: of its group and of it within the group."""
    layout, done = Layout.of(len(tokens), lanes, prior.stride), 0
    if not layout.tokens:
        return np.zeros(0)
    bits, state = np.zeros((layout.lanes, layout.steps)), prior.init(layout.lanes, layout.tokens)
    for t, group, rank, of_group, of_rank in _known(prior, state, layout, layout.split(tokens)):
        for symbols, pmf in ((group, of_group), (rank, of_rank)):
            p = pmf[np.arange(len(pmf)), symbols].astype(np.float64) / pmf.sum(1, dtype=np.float64)
            bits[: len(pmf), t] -= np.log2(np.maximum(p, 2.0**-24))
        report(done := done + len(group))
    return bits.reshape(-1)[: layout.tokens]
