"""Encode, decode, score and sample with a prior whose symbols are coded bit by bit (`types.SpelledPrior`).

Its base is stepped as any prior is (`conditionals`); what a step's pmf makes of each bit is the spelling prior's matter.
"""

import numpy as np

from .coders import RangeEncoder
from .conditionals import Report, follow, known_conditionals
from .exact.threads import one_blas_thread
from .lanes import Layout
from .types import Pmf, SpelledPrior, Tokens


@one_blas_thread()
def encode(prior: SpelledPrior, tokens: Tokens, lanes: int, report: Report) -> bytes:
    """Tokens [N] → the coder's bytes."""
    layout, encoder, done = Layout.of(len(tokens), lanes, prior.stride), RangeEncoder(), 0
    state = prior.start(layout.lanes, layout.tokens)
    for pmfs, symbols, _ in known_conditionals(prior.base, layout, layout.split(tokens)):
        for pmf, some in zip(pmfs, symbols):
            bits, rows, _ = prior.spelled(state, pmf, some)
            encoder.push(bits, rows)
        report(done := done + symbols.size)
    return encoder.finish()


@one_blas_thread()
def decode(prior: SpelledPrior, payload: bytes, count: int, lanes: int, report: Report) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell."""
    from .coders import reference  # compiled

    layout, coder = Layout.of(count, lanes, prior.stride), reference.start(payload)
    state = prior.start(layout.lanes, layout.tokens)
    return follow(prior.base, layout, lambda pmf: prior.decode_spelled(state, pmf, coder), report)


@one_blas_thread()
def score(prior: SpelledPrior, tokens: Tokens, lanes: int, report: Report) -> np.ndarray:
    """−log2 p of each token [N] float64: of all its bits."""
    layout, done = Layout.of(len(tokens), lanes, prior.stride), 0
    state, costs = prior.start(layout.lanes, layout.tokens), np.zeros((layout.lanes, layout.steps))
    for pmfs, symbols, at in known_conditionals(prior.base, layout, layout.split(tokens)):
        for t, (pmf, some) in enumerate(zip(pmfs, symbols), at):
            bits, rows, stops = prior.spelled(state, pmf, some)
            cost = np.cumsum(-np.log2(rows[np.arange(len(bits)), bits].astype(np.float64)))
            costs[: len(some), t] = np.diff(np.append(0.0, cost)[stops], prepend=0.0)
        report(done := done + symbols.size)
    return costs.reshape(-1)[: layout.tokens]


@one_blas_thread()
def sample(prior: SpelledPrior, count: int, seed: int | None, temperature: float, lanes: int) -> Tokens:
    """Each bit drawn from p^(1/temperature)."""
    layout, rng = Layout.of(count, lanes, prior.stride), np.random.default_rng(seed)
    state = prior.start(layout.lanes, layout.tokens)

    def draw(pmf: Pmf) -> Tokens:
        return prior.draw_spelled(state, pmf, rng, temperature)

    return follow(prior.base, layout, draw)
