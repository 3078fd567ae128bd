"""One path, four consumers: the generator that steps a prior, and encode, decode, score, sample over it.

`conditionals` yields the pmf [n, V] of the next symbol of each live lane and receives those n symbols.
Encoder and decoder cannot disagree about a pmf because they run this same loop:

    encode: push the known symbol │ decode: pop it │ score: add −log2 p │ sample: draw it
"""

from collections.abc import Callable, Generator

import numpy as np

from .coders import RangeDecoder, RangeEncoder
from .errors import ChecksumError
from .lanes import Layout
from .types import Pmf, Prior, Tokens

Report = Callable[[int], None]


def _silent(done: int) -> None:
    """The default progress report."""


def conditionals(prior: Prior, layout: Layout) -> Generator[Pmf, Tokens, None]:
    if not layout.steps:
        return
    state = prior.init(layout.lanes, layout.tokens)
    symbols: Tokens | None = None
    for step in range(layout.steps):
        rows = layout.live(step)
        pmf = prior.step(state, None if symbols is None else symbols[:rows], rows)
        symbols = yield pmf


def _run(prior: Prior, layout: Layout, consume: Callable[[Pmf, int], Tokens], report: Report) -> None:
    """Drive the generator: `consume(pmf, step)` gives the symbols [n]."""
    steps = conditionals(prior, layout)
    pmf = next(steps, None)
    step = done = 0
    while pmf is not None:
        symbols = consume(pmf, step)
        done += len(symbols)
        step += 1
        if step % 64 == 0:
            report(done)
        try:
            pmf = steps.send(symbols)
        except StopIteration:
            pmf = None
    report(done)


class _Grid:
    """Symbols as they come, step by step. It grows with them: the number of tokens may be a lie."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cells = np.zeros((layout.lanes, min(layout.steps, 1 << 10)), np.int32)

    def put(self, symbols: Tokens, step: int) -> None:
        if step == self._cells.shape[1]:
            more = min(step, self._layout.steps - step)
            self._cells = np.concatenate([self._cells, np.zeros((len(self._cells), more), np.int32)], axis=1)
        self._cells[: len(symbols), step] = symbols

    def join(self) -> Tokens:
        return self._layout.join(self._cells)


def encode(prior: Prior, tokens: Tokens, lanes: int, report: Report = _silent) -> bytes:
    """Tokens [N] → the coder's bytes. `report(n)` hears how many tokens are done."""
    layout = Layout.of(len(tokens), lanes, prior.stride)
    grid, encoder = layout.split(tokens), RangeEncoder()

    def push(pmf: Pmf, step: int) -> Tokens:
        symbols = grid[: len(pmf), step].copy()
        encoder.push(symbols, pmf)
        return symbols

    _run(prior, layout, push, report)
    return encoder.finish()


def decode(prior: Prior, payload: bytes, count: int, lanes: int, report: Report = _silent) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell."""
    layout = Layout.of(count, lanes, prior.stride)
    grid, decoder = _Grid(layout), RangeDecoder(payload)

    def pop(pmf: Pmf, step: int) -> Tokens:
        symbols = decoder.pop(pmf)
        if len(symbols) and int(symbols.max()) >= prior.vocab_size:
            raise ChecksumError("the coded words are damaged: a symbol outside the vocabulary")
        grid.put(symbols, step)
        return symbols

    _run(prior, layout, pop, report)
    return grid.join()


def score(prior: Prior, tokens: Tokens, lanes: int = 1, report: Report = _silent) -> np.ndarray:
    """−log2 p of each token [N] float64, as `encode` would be charged by an ideal coder."""
    layout = Layout.of(len(tokens), lanes, prior.stride)
    grid = layout.split(tokens)
    bits = np.zeros(grid.shape, np.float64)

    def charge(pmf: Pmf, step: int) -> Tokens:
        symbols = grid[: len(pmf), step].copy()
        p = pmf[np.arange(len(pmf)), symbols].astype(np.float64) / pmf.sum(1, dtype=np.float64)
        bits[: len(pmf), step] = -np.log2(np.maximum(p, 2.0**-24))
        return symbols

    _run(prior, layout, charge, report)
    return bits.reshape(-1)[: layout.tokens]


def sample(prior: Prior, count: int, seed: int | None = None, temperature: float = 1.0, lanes: int = 1) -> Tokens:
    """Draw `count` tokens by inverting the cumulative distribution of p^(1/temperature) at u ~ U[0, 1).

    Towards temperature 0 that becomes the likeliest token, one of them at random where several are; 0 itself is
    a ValueError, as is anything below, or no number."""
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature must be a number above 0, not {temperature}")
    layout = Layout.of(count, lanes, prior.stride)
    grid, rng = _Grid(layout), np.random.default_rng(seed)

    def draw(pmf: Pmf, step: int) -> Tokens:
        with np.errstate(divide="ignore", under="ignore", over="ignore"):  # log 0 = −∞, and e^−∞ = 0
            log_p = np.log(pmf.astype(np.float64))
            p = np.exp((log_p - log_p.max(1, keepdims=True)) / temperature)  # the largest is 1 at any temperature
        cumulative = np.cumsum(p, axis=1)
        u = rng.random((len(pmf), 1)) * cumulative[:, -1:]
        symbols = np.minimum((cumulative <= u).sum(1), prior.vocab_size - 1).astype(np.int32)
        grid.put(symbols, step)
        return symbols

    _run(prior, layout, draw, _silent)
    return grid.join()
