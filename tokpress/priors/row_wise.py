"""The step of a prior whose lanes do not depend on each other (`types.RowWise`), by one thread or by two."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..exact.threads import share_after
from ..types import Pmf, Prior, RowWise, Tokens, TwoLevel

R = TypeVar("R")


def step(prior: RowWise, state: Any, previous: Tokens | None, rows: int) -> Pmf:
    """What `Prior.step` of it is, by `learn` and `some_rows`."""
    parts = after_learning(prior, state, previous, rows, lambda *some: prior.some_rows(state, previous, *some))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def after_learning(
    prior: RowWise | TwoLevel, state: Any, previous: Tokens | None, rows: int, work: Callable[..., R]
) -> list[R]:
    """`work(some, ready)` on all rows, by two threads where that pays, after or while the prior learns."""
    if prior.shares_rows(rows):
        return share_after(lambda: prior.learn(state, previous), work, rows)
    prior.learn(state, previous)
    return [work(slice(0, rows), lambda: None)]


def is_row_wise(prior: Any) -> bool:
    """Whether its lanes are independent of each other: what is wrapped around a prior is so where that prior is."""
    inside = getattr(prior, "base", None)
    return isinstance(prior, RowWise) and (inside is None or is_row_wise(inside))


def shares_rows(prior: Any, rows: int) -> bool:
    """Whether a step of so many lanes is worth two threads."""
    return is_row_wise(prior) and prior.shares_rows(rows)


def runs_compiled(prior: Prior) -> bool:
    """Whether it has compiled code imported already, so that to use more costs little: only such rows are shared."""
    return shares_rows(prior, 1 << 16)
