"""The step of a prior whose lanes do not depend on each other (`types.RowWise`), by one thread or by two."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..exact.threads import share_after
from ..types import Pmf, Prior, RowWise, Tokens


def step(prior: RowWise, state: Any, previous: Tokens | None, rows: int) -> Pmf:
    """What `Prior.step` of it is, by `learn` and `some_rows`."""
    if not prior.shares_rows(rows):
        prior.learn(state, previous)
        return prior.some_rows(state, previous, slice(0, rows), lambda: None)

    def some(part: slice, ready: Callable[[], Any]) -> Pmf:
        return prior.some_rows(state, previous, part, ready)

    return np.concatenate(share_after(lambda: prior.learn(state, previous), some, rows))


def runs_compiled(prior: Prior) -> bool:
    """Whether it has compiled code imported already, so that to use more costs little: only such rows are shared."""
    return isinstance(prior, RowWise) and prior.shares_rows(1 << 16)
