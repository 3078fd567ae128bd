"""One path, four consumers: the loop that steps a prior, and encode, decode, score, sample over it.

The pmf [n, V] of the next symbol of each live lane is followed by those n symbols, and so on:

    encode: push the known symbol │ decode: pop it │ score: add −log2 p │ sample: draw it

`conditionals` steps where symbols come one by one; `known_conditionals` may take many steps at once where
they are all known (`Prior.stretch`). Both give the same bits: the conformance kit compares them. `coding` is what to
call with any prior, also one that has no conditionals of single symbols.
"""

from collections.abc import Callable, Generator, Iterator

import numpy as np

from .coders import RangeDecoder, RangeEncoder
from .errors import ChecksumError
from .exact.threads import one_blas_thread
from .lanes import Layout
from .types import DecodesItself, Pmf, Prior, Tokens
from .watch import WATCH_EVERY, Watch, unwatched

Report = Callable[[int], None]
#: symbols between two reports of a coder that runs compiled
REPORT_EVERY = WATCH_EVERY
#: steps after which one that steps tells of them, at the latest
STEPS_EVERY = 64


def silent(done: int) -> None:
    """The default progress report."""


def conditionals(prior: Prior, layout: Layout) -> Generator[Pmf, Tokens, None]:
    """Yields the pmf [n, V] of each step and receives its symbols [n]."""
    if not layout.tokens:
        return
    state = prior.init(layout.lanes, layout.tokens)
    previous: Tokens | None = None
    for rows, first, stop in layout.runs():
        for _ in range(first, stop):
            previous = yield prior.step(state, None if previous is None else previous[:rows], rows)


def known_conditionals(prior: Prior, layout: Layout, grid: Tokens) -> Iterator[tuple[Pmf, Tokens, int]]:
    """(pmf [steps, n, V], symbols [steps, n], first step) until the symbols [B, T] of all lanes are through."""
    if not layout.tokens:
        return
    state = prior.init(layout.lanes, layout.tokens)
    previous: Tokens | None = None
    for rows, first, stop in layout.runs():
        at = first
        for pmf in prior.stretch(state, None if previous is None else previous[:rows], grid[:rows, first:stop]):
            yield pmf, np.ascontiguousarray(grid[:rows, at : at + len(pmf)].T), at
            at += len(pmf)
        previous = grid[:, stop - 1].copy()


def follow(prior: Prior, layout: Layout, choose: Callable[[Pmf], Tokens], watch: Watch = unwatched) -> Tokens:
    """Step the prior: `choose(pmf)` gives the symbols [n] of each step. Returns all of them, [N]."""
    if not layout.tokens:
        return np.zeros(0, np.int32)
    state = prior.init(layout.lanes, layout.tokens)
    return take_steps(layout, lambda previous, rows: choose(prior.step(state, previous, rows)), watch)


def take_steps(layout: Layout, step: Callable[[Tokens | None, int], Tokens], watch: Watch = unwatched) -> Tokens:
    """`step(previous, rows)` gives the symbols [n] of each step. Returns all of them, [N]."""
    grid, previous, watched = Growing(layout), None, InBlocks(watch)
    for rows, first, stop in layout.runs():
        for t in range(first, stop):
            previous = step(None if previous is None else previous[:rows], rows)
            grid.put(previous[:, None], t)
            watched.add(previous)
    watched.finish()
    return grid.join()


class InBlocks:
    """Hands the symbols of single steps on to `watch`, many at a time."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._count = watch, 0
        self._waiting: list[Tokens] = []

    def add(self, symbols: Tokens) -> None:
        self._waiting.append(symbols)
        self._count += len(symbols)
        if len(self._waiting) >= STEPS_EVERY or self._count >= WATCH_EVERY:
            self.finish()

    def finish(self) -> None:
        if self._waiting:
            self._watch(np.concatenate(self._waiting))
        self._waiting, self._count = [], 0


class Growing:
    """Symbols as they come. It grows with them: the number of tokens may be a lie."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cells = np.zeros((layout.lanes, min(layout.steps, 1 << 10)), np.int32)

    def put(self, symbols: Tokens, step: int) -> None:
        """symbols [n, steps], from this step on"""
        while step + symbols.shape[1] > self._cells.shape[1]:
            more = min(self._cells.shape[1], self._layout.steps - self._cells.shape[1])
            self._cells = np.concatenate([self._cells, np.zeros((len(self._cells), more), np.int32)], axis=1)
        self._cells[: len(symbols), step : step + symbols.shape[1]] = symbols

    def join(self) -> Tokens:
        return self._layout.join(self._cells)


@one_blas_thread()
def encode(prior: Prior, tokens: Tokens, lanes: int, report: Report = silent) -> bytes:
    """Tokens [N] → the coder's bytes. `report(n)` hears how many tokens are done."""
    layout, encoder, done = Layout.of(len(tokens), lanes, prior.stride), RangeEncoder(), 0
    for pmf, symbols, _ in known_conditionals(prior, layout, layout.split(tokens)):
        encoder.push_steps(symbols, pmf)
        report(done := done + symbols.size)
    return encoder.finish()


def decode(prior: Prior, payload: bytes, count: int, lanes: int, watch: Watch = unwatched) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell. `watch` hears the
    symbols as they come, and may raise."""
    layout = Layout.of(count, lanes, prior.stride)
    if layout.tokens and isinstance(prior, DecodesItself):
        return _decode_compiled(prior, payload, layout, watch)
    return decode_by_steps(prior, payload, layout, watch)


@one_blas_thread()
def decode_by_steps(prior: Prior, payload: bytes, layout: Layout, watch: Watch = unwatched) -> Tokens:
    """`decode` by `conditionals` and constriction, whatever loop of its own the prior offers."""
    decoder = RangeDecoder(payload)

    def pop(pmf: Pmf) -> Tokens:
        symbols = decoder.pop(pmf)
        if len(symbols) and int(symbols.max()) >= prior.vocab_size:
            raise ChecksumError("the coded words are damaged: a symbol outside the vocabulary")
        return symbols

    return follow(prior, layout, pop, watch)


def _decode_compiled(prior: Prior, payload: bytes, layout: Layout, watch: Watch) -> Tokens:
    assert isinstance(prior, DecodesItself)
    state, decode_steps = prior.init(layout.lanes, layout.tokens), prior.decode_steps
    return decode_by_loop(lambda *args: decode_steps(state, *args), payload, layout, watch)


def decode_by_loop(loop: Callable[..., Tokens], payload: bytes, layout: Layout, watch: Watch) -> Tokens:
    """`loop(coder, previous, rows, steps)` gives the next symbols [rows, steps]."""
    from .coders import reference

    coder, grid, previous = reference.start(payload), Growing(layout), None
    for rows, first, stop in layout.runs():
        at_once = max(1, REPORT_EVERY // rows)
        for at in range(first, stop, at_once):
            steps = min(at_once, stop - at)
            symbols = loop(coder, previous, rows, steps)
            grid.put(symbols, at)
            previous = symbols[:, -1].copy()
            watch(symbols)
    return grid.join()


@one_blas_thread()
def score(prior: Prior, tokens: Tokens, lanes: int = 1, report: Report = silent) -> np.ndarray:
    """−log2 p of each token [N] float64, as `encode` would be charged by an ideal coder."""
    layout = Layout.of(len(tokens), lanes, prior.stride)
    bits, done = np.zeros((layout.lanes, layout.steps), np.float64), 0
    for pmf, symbols, at in known_conditionals(prior, layout, layout.split(tokens)):
        chosen = np.take_along_axis(pmf, symbols[:, :, None].astype(np.intp), axis=2)[:, :, 0]
        p = chosen.astype(np.float64) / pmf.sum(2, dtype=np.float64)
        bits[: pmf.shape[1], at : at + len(pmf)] = -np.log2(np.maximum(p, 2.0**-24)).T
        report(done := done + symbols.size)
    return bits.reshape(-1)[: layout.tokens]


@one_blas_thread()
def sample(prior: Prior, count: int, seed: int | None = None, temperature: float = 1.0, lanes: int = 1) -> Tokens:
    """Draw `count` tokens by inverting the cumulative distribution of p^(1/temperature) at u ~ U[0, 1).

    Towards temperature 0 that becomes the likeliest token, one of them at random where several are; 0 itself is
    a ValueError, as is anything below, or no number."""
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be a number above 0, not {temperature}")
    layout = Layout.of(count, lanes, prior.stride)
    rng = np.random.default_rng(seed)

    def draw(pmf: Pmf) -> Tokens:
        with np.errstate(divide="ignore", under="ignore", over="ignore"):  # log 0 = −∞, and e^−∞ = 0
            log_p = np.log(pmf.astype(np.float64))
            p = np.exp((log_p - log_p.max(1, keepdims=True)) / temperature)  # the largest is 1 at any temperature
        cumulative = np.cumsum(p, axis=1)
        u = rng.random((len(pmf), 1)) * cumulative[:, -1:]
        return np.minimum((cumulative <= u).sum(1), prior.vocab_size - 1).astype(np.int32)

    return follow(prior, layout, draw)
