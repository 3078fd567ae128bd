"""The default codec: one loop that steps a prior, symbol by symbol.

Each step gives the pmf [n, V] of the next symbol of the n live lanes. Each method does one thing with it:

    encode: push the known symbol │ decode: pop it │ score: add −log2 p │ sample: draw it

A decoder learns symbols one by one: it uses `follow`. An encoder knows all symbols: it uses `known_conditionals`, which may take many
steps at once (`SteppedPrior.step_block`). Both give the same probabilities, to the bit: the conformance kit compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..errors import ChecksumError
from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array
from .base import (
    WATCH_EVERY,
    Codec,
    Frame,
    Pmf,
    Report,
    Stepped,
    Watch,
    check_temperature,
    silent,
    step,
    unwatched,
)
from .coders import range_decoder, range_encoder
from .coders.stack import Stack
from .context import ContextTokens
from .lanes import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: largest number of single steps between two calls of a watch
STEPS_EVERY = 64


class Symbolwise(Codec):
    """
    >>> from tokpress.priors.lecture.histogram import HistogramPrior
    >>> codec = Symbolwise(HistogramPrior(4), Frame(tokens=3))
    >>> codec.decode(codec.encode(np.array([3, 0, 3], np.int32)), 3)
    array([3, 0, 3], dtype=int32)
    """

    reads_context = True

    def __init__(self, prior: Stepped, frame: Frame) -> None:
        super().__init__(frame)
        self.prior = prior

    def stepped(self) -> list[Stepped]:
        return [self.prior]

    def by_symbols(self) -> Symbolwise:
        return self

    def _layout(self, count: int) -> Layout:
        return Layout.divide(count, self.frame.lanes, self.prior.rules.stride)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        with self.limits():
            layout, encoder, done = self._layout(len(tokens)), range_encoder(), 0
            for pmf, symbols, _ in self._known(layout, tokens):
                encoder.push(symbols.reshape(-1), pmf.reshape(-1, pmf.shape[2]))
                report(done := done + symbols.size)
            return encoder.finish()

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            decoder = range_decoder(payload)

            def pop(pmf: Pmf) -> Tokens:
                symbols = decoder.pop(pmf)
                if len(symbols) and int(symbols.max()) >= self.prior.vocab_size:
                    raise ChecksumError("the coded words are damaged: a symbol outside the vocabulary")
                return symbols

            return self._follow(count, pop, watch)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        with self.limits():
            layout, done = self._layout(len(tokens)), 0
            bits = np.zeros((layout.lanes, layout.steps), np.float64)
            for pmf, symbols, at in self._known(layout, tokens):
                chosen = np.take_along_axis(pmf, symbols[:, :, None].astype(np.intp), axis=2)[:, :, 0]
                p = chosen.astype(np.float64) / pmf.sum(2, dtype=np.float64)
                bits[: pmf.shape[1], at : at + len(pmf)] = -np.log2(np.maximum(p, 2.0**-24)).T
                report(done := done + symbols.size)
            return bits.reshape(-1)[: layout.tokens]

    def likeliest(self, tokens: TokenBuffer, count: int, best: int) -> tuple[Tokens, NDArray[np.float64]]:
        """At each of the first `count` tokens: the `best` likeliest symbols and their p, both [count, best], the likeliest first.

        Steps beyond these tokens are left out."""
        best = min(best, self.prior.vocab_size)
        with self.limits():
            layout = self._layout(len(tokens))
            steps = min(count, layout.steps)
            lanes = -(-count // max(steps, 1))
            symbols, p = np.zeros((lanes, steps, best), np.int32), np.zeros((lanes, steps, best))
            for pmf, _, at in self._known(layout, tokens) if count else ():
                part = np.swapaxes(pmf[: steps - at, :lanes], 0, 1)  # [lanes, steps, V]
                found = np.argpartition(part, -best, axis=2)[:, :, -best:]
                found = np.take_along_axis(found, np.argsort(-np.take_along_axis(part, found, 2), axis=2), 2)
                cells = slice(part.shape[0]), slice(at, at + part.shape[1])
                symbols[cells] = found
                p[cells] = np.take_along_axis(part, found, 2) / part.sum(2, dtype=np.float64, keepdims=True)
                if at + len(pmf) >= steps:
                    break
            return symbols.reshape(-1, best)[:count], p.reshape(-1, best)[:count]

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        """Invert the cumulative distribution of p^(1/temperature) at u ~ U[0, 1). Towards temperature 0 that gives the likeliest
        token, one of them at random where several are."""
        with self.limits():
            check_temperature(temperature)
            rng = np.random.default_rng(seed)

            def draw(pmf: Pmf) -> Tokens:
                with np.errstate(divide="ignore", under="ignore", over="ignore"):  # log 0 = −∞, and e^−∞ = 0
                    log_p = np.log(pmf.astype(np.float64))
                    p = np.exp(
                        (log_p - log_p.max(1, keepdims=True)) / temperature
                    )  # the largest is 1 at any temperature
                cumulative = np.cumsum(p, axis=1)
                u = rng.random((len(pmf), 1)) * cumulative[:, -1:]
                drawn: Tokens = np.minimum((cumulative <= u).sum(1), self.prior.vocab_size - 1).astype(np.int32)
                return drawn

            return self._follow(count, draw)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        with self.limits():
            return self._follow(count, Stack(noise, noise=True).pop, watch)

    def _known(self, layout: Layout, tokens: TokenBuffer) -> Iterator[tuple[Pmf, Tokens, int]]:
        return known_conditionals(self.prior, layout, layout.split(tokens), self.frame.context)

    def _follow(self, count: int, choose: Callable[[Pmf], Tokens], watch: Watch = unwatched) -> Tokens:
        return follow(self.prior, self._layout(count), choose, watch, self.frame)


@runtime_checkable
class HasPmf(Protocol):
    """A codec whose prior gives the probabilities of all symbols."""

    def by_symbols(self) -> Symbolwise:
        """The codec that computes the probabilities of all symbols: the same, within float32 rounding, as this one codes with."""


def conditionals(prior: Stepped, layout: Layout) -> Generator[Pmf, Tokens, None]:
    """Yields the pmf [n, V] of each step and receives its symbols [n]."""
    if not layout.tokens:
        return
    state = prior.init(layout.lanes, layout.tokens)
    previous: Tokens | None = None
    for rows, first, stop in layout.runs():
        for _ in range(first, stop):
            previous = yield step(prior, state, None if previous is None else previous[:rows], rows)


def begin(prior: Stepped, layout: Layout, context: ContextTokens | None) -> tuple[Any, Tokens | None]:
    """(a state that has read the context, the symbols before those of the layout)."""
    if context is None:
        return prior.init(layout.lanes, layout.tokens), None
    state, symbols = prior.init(1, context.room(layout.tokens)), as_array(context.tokens)
    for _ in prior.step_block(state, None, symbols[None]) if context.count else ():
        pass
    return state, symbols[-1:] if context.count else None


def known_conditionals(
    prior: Stepped, layout: Layout, grid: Tokens, context: ContextTokens | None = None
) -> Iterator[tuple[Pmf, Tokens, int]]:
    """Yields (pmf [steps, n, V], symbols [steps, n], first step) for block after block of the known symbols `grid` [B, T]."""
    if not layout.tokens:
        return
    state, previous = begin(prior, layout, context)
    for rows, first, stop in layout.runs():
        at = first
        for pmf in prior.step_block(state, None if previous is None else previous[:rows], grid[:rows, first:stop]):
            yield pmf, np.ascontiguousarray(grid[:rows, at : at + len(pmf)].T), at
            at += len(pmf)
        previous = grid[:, stop - 1].copy()


def follow(
    prior: Stepped,
    layout: Layout,
    choose: Callable[[Pmf], Tokens],
    watch: Watch = unwatched,
    frame: Frame | None = None,
) -> Tokens:
    """Step the prior; `choose(pmf)` gives the symbols [n] of each step. Returns the symbols of all steps, [N]. frame: its context, and how
    often `watch` is called."""
    if not layout.tokens:
        return np.zeros(0, np.int32)
    state, last = begin(prior, layout, frame.context if frame else None)
    every = frame.watch_every if frame else WATCH_EVERY
    return take_steps(layout, lambda previous, rows: choose(step(prior, state, previous, rows)), watch, last, every)


def take_steps(
    layout: Layout,
    step: Callable[[Tokens | None, int], Tokens],
    watch: Watch = unwatched,
    previous: Tokens | None = None,
    watch_every: int = WATCH_EVERY,
) -> Tokens:
    """Call `step(previous, rows)` for the symbols [n] of each step. Returns the symbols of all steps, [N].

    previous: the symbols before the first step, where there are some."""
    grid, watched = Growing(layout), InBlocks(watch, watch_every)
    for rows, first, stop in layout.runs():
        for t in range(first, stop):
            previous = step(None if previous is None else previous[:rows], rows)
            grid.put(previous[:, None], t)
            watched.add(previous)
    watched.finish()
    return grid.join()


class InBlocks:
    """Collects the symbols of single steps, and passes them to `watch` in blocks."""

    def __init__(self, watch: Watch, every: int = WATCH_EVERY) -> None:
        """every: largest number of symbols in a block."""
        self._watch, self._every, self._count = watch, every, 0
        self._waiting: list[Tokens] = []

    def add(self, symbols: Tokens) -> None:
        self._waiting.append(symbols)
        self._count += len(symbols)
        if len(self._waiting) >= STEPS_EVERY or self._count >= self._every:
            self.finish()

    def finish(self) -> None:
        if self._waiting:
            self._watch(np.concatenate(self._waiting))
        self._waiting, self._count = [], 0


class Growing:
    """Decoded symbols [B, T]. The array grows with them, since the number of tokens in a header may be false."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cells = np.zeros((layout.lanes, min(layout.steps, 1 << 10)), np.int32)

    def put(self, symbols: Tokens, step: int) -> None:
        """Store symbols [n, steps], from `step` on."""
        while step + symbols.shape[1] > self._cells.shape[1]:
            more = min(self._cells.shape[1], self._layout.steps - self._cells.shape[1])
            self._cells = np.concatenate([self._cells, np.zeros((len(self._cells), more), np.int32)], axis=1)
        self._cells[: len(symbols), step : step + symbols.shape[1]] = symbols

    def join(self) -> Tokens:
        return self._layout.join(self._cells)
