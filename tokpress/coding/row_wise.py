"""The step of a prior whose lanes do not depend on each other, by one thread or by two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..exact.threads import share_after
from ..lazy import np
from .base import Pmf, Tokens

R = TypeVar("R")


class Learns(Protocol):
    """A prior whose step has a part for all lanes, and a part for each."""

    def shares_rows(self, rows: int) -> bool:
        """Whether a step of so many lanes is worth two threads."""

    def learn(self, state: Any, previous: Tokens | None) -> None:
        """The part of a step that concerns all lanes; called once, before or while `some_rows` is."""


@runtime_checkable
class RowWise(Learns, Protocol):
    """A prior whose lanes are independent of each other. A step may take some of the lanes, so that a prior wrapped around it can
    do its own work on the same lanes in the same thread."""

    def some_rows(self, state: Any, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        """One step of these lanes only, [n, V]: an array that nothing writes to before the next `learn`. It calls `ready`,
        which waits until `learn` is done, before it depends on that."""


def step(prior: RowWise, state: Any, previous: Tokens | None, rows: int) -> Pmf:
    """`Prior.step`, by `learn` and `some_rows`."""
    parts = after_learning(prior, state, previous, rows, lambda *some: prior.some_rows(state, previous, *some))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def after_learning(prior: Learns, state: Any, previous: Tokens | None, rows: int, work: Callable[..., R]) -> list[R]:
    """`work(some, ready)` on all rows, by two threads where that pays, after or while the prior learns."""
    if prior.shares_rows(rows):
        return share_after(lambda: prior.learn(state, previous), work, rows)
    prior.learn(state, previous)
    return [work(slice(0, rows), lambda: None)]


def is_row_wise(prior: Any) -> bool:
    """Whether its lanes are independent of each other. A wrapper is row-wise if the prior inside is."""
    inside = getattr(prior, "base", None)
    return isinstance(prior, RowWise) and (inside is None or is_row_wise(inside))


def shares_rows(prior: Any, rows: int) -> bool:
    """Whether a step of so many lanes is worth two threads."""
    return is_row_wise(prior) and prior.shares_rows(rows)


def runs_compiled(prior: Any) -> bool:
    """Whether it computes with compiled code, so that more of that costs little: only such rows are shared."""
    return shares_rows(prior, 1 << 16)
