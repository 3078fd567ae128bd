"""Two threads, half of the rows each: the compiled loops and torch's products release the interpreter,
and rows do not depend on each other, so the bits cannot change. Cheaper than threads inside every
small product, which meet at a barrier forty times a step."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np


def threads() -> int:
    """How many processors this process may use; `-T` and OMP_NUM_THREADS limit it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit) if limit.isdigit() and int(limit) else available))


def _one_thread_each() -> None:
    import torch

    torch.set_num_threads(1)


@lru_cache
def _pool() -> ThreadPoolExecutor:
    _one_thread_each()
    return ThreadPoolExecutor(1, initializer=_one_thread_each)


def share_rows(work: Callable[[slice], np.ndarray], rows: int) -> np.ndarray:
    """`work` on all rows, [rows, …], in two halves at once where there are two processors."""
    if threads() < 2:
        return work(slice(0, rows))
    half = rows // 2
    other = _pool().submit(work, slice(half, rows))
    first = work(slice(0, half))
    return np.concatenate([first, other.result()])
