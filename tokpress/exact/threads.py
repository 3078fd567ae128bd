"""Two threads, half of the rows each: compiled code releases the interpreter, and rows do not depend on
each other, so the bits cannot change. Cheaper than threads inside every small product, which meet at a
barrier forty times a step."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

R = TypeVar("R")


def threads() -> int:
    """How many processors this process may use; `-T` and OMP_NUM_THREADS limit it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit) if limit.isdigit() and int(limit) else available))


@lru_cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


def share_rows(work: Callable[[slice], R], rows: int) -> list[R]:
    """`work` on all rows in two halves at once, where there are two processors: the results in order."""
    if rows < 2 or threads() < 2:
        return [work(slice(0, rows))]
    half = rows // 2
    other = _pool().submit(work, slice(half, rows))
    return [work(slice(0, half)), other.result()]
