"""Two threads, half of the rows each: compiled code releases the interpreter, and rows do not depend on
each other, so the bits cannot change. Cheaper than threads inside every small product, which meet at a
barrier forty times a step."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from threading import Event, Lock
from typing import Any, TypeVar

R = TypeVar("R")


#: what `beside` has begun
_beside: list[Future] = []


def processors() -> int:
    """How many this process may use; `-T` and OMP_NUM_THREADS limit it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit) if limit.isdigit() and int(limit) else available))


def threads() -> int:
    """How many of them are free to share a step."""
    return max(1, processors() - sum(not work.done() for work in _beside))


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


def run_both(work: Callable[[int], R], give_up: Callable[[], None] = lambda: None) -> list[R]:
    """`work(0)` and `work(1)` at once, on two threads that may wait for each other. Where there is an exception, of a signal for
    instance, `give_up` lets thread 1 wait no longer for the other."""
    try:
        other = _pool().submit(work, 1)
        return [work(0), other.result()]
    except BaseException:
        give_up()
        raise


def share_after(
    first: Callable[[], None], work: Callable[[slice, Callable[[], Any]], R], rows: int, early: int | None = None
) -> list[R]:
    """`share_rows`, where there is something to do `first`. Another thread begins with the first rows, `early` ones, at once;
    its `work` calls its second argument before it needs what `first` has made."""
    if rows < 2 or threads() < 2:
        first()
        return [work(slice(0, rows), lambda: None)]
    done, early = Event(), rows // 2 if early is None else early
    try:  # a signal may raise anywhere here, and the other thread may not be left waiting
        other = _pool().submit(work, slice(0, early), done.wait)
        first()
    finally:
        done.set()
    late = work(slice(early, rows), lambda: None)
    return [other.result(), late]


class _Blas:
    """numpy's BLAS, and how many are inside `one_blas_thread`: the first limits it, the last lets it go."""

    def __init__(self) -> None:
        self.lock, self.users = Lock(), 0
        self._libraries: Any = None
        self._limit: Any = None

    def enter(self) -> None:
        with self.lock:
            self.users += 1
            if self.users == 1:
                if self._libraries is None:
                    from threadpoolctl import ThreadpoolController

                    self._libraries = ThreadpoolController().select(user_api="blas")
                self._limit = self._libraries.limit(limits=1)

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                self._limit.restore_original_limits()


_BLAS = _Blas()


def beside(work: Callable[[], R]) -> Callable[[], R]:
    """Begin `work` on another thread, where there are two processors, and give what waits for its result. Until it ends, steps
    are not shared: of two threads that wait for each other, one would wait for `work`."""
    if threads() < 2:
        result = work()
        return lambda: result
    pool = ThreadPoolExecutor(1)
    _beside[:] = [*(work for work in _beside if not work.done()), future := pool.submit(work)]
    pool.shutdown(wait=False)
    return future.result


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products of a few lanes are too small for BLAS threads: beside other work they wait for each other, and a
    step takes ten times as long. The command line sets OPENBLAS_NUM_THREADS instead, which starts none."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        yield
        return
    _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave()
