"""Work on several items at a time, in threads, with the results in order.

The caller's thread works on the first item, other threads on the items behind it. A single item starts no thread. Where no thread
can be started, everything runs in the caller's. Only the caller's thread draws items, so they may come from a stream.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from threading import Lock, Thread
from typing import Generic, TypeVar

from ..exact.threads import Task, allowed, at_most

T = TypeVar("T")
R = TypeVar("R")


class Stopped(Exception):
    """The result of this work is not needed any more."""


class _Job(Generic[T, R]):
    def __init__(self, item: T, function: Callable[[T], R]) -> None:
        self.item = item
        self._task = Task(function, item)
        self.is_started = False

    def start(self, threads: int) -> None:
        """Run in a new thread, which may use `threads` threads in all and sees the caller's context variables. Does nothing where
        no thread can be started."""

        def run() -> None:
            with at_most(threads):
                self._task.run()

        with suppress(RuntimeError, MemoryError):
            Thread(target=copy_context().run, args=(run,), name="tokpress-ahead", daemon=True).start()
            self.is_started = True

    def result(self) -> R:
        if not self.is_started:
            self.is_started = True
            self._task.run()
        return self._task.result()

    def wait(self) -> None:
        if self.is_started:
            with suppress(BaseException):
                self._task.result()


class Ahead(Generic[T, R]):
    """Results of `function(item)` for each item, in order: an iterator, and a context that ends all threads.

    max_threads: fewer under a limit of `at_most`. is_barrier(item): whether the next item may be drawn only when this one is done.
    on_turn(item): called in the caller's thread when the turn of the item comes. can_draw(): whether an item can be drawn without
    waiting; until it can, the drawn items are worked on. `function` should call `check` regularly: it raises Stopped once the context
    has ended."""

    def __init__(
        self,
        items: Iterator[T],
        function: Callable[[T], R],
        max_threads: int,
        is_barrier: Callable[[T], bool] = lambda item: False,
        on_turn: Callable[[T], None] = lambda item: None,
        can_draw: Callable[[], bool] = lambda: True,
    ) -> None:
        self._items, self._function, self._max_threads = items, function, allowed(max_threads)
        self._is_barrier, self._on_turn, self._can_draw = is_barrier, on_turn, can_draw
        self._jobs: deque[_Job[T, R]] = deque()
        self._error: BaseException | None = None
        self._ended = self._stopped = False

    def check(self) -> None:
        if self._stopped:
            raise Stopped

    def __enter__(self) -> "Ahead[T, R]":
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = True
        for job in self._jobs:
            job.wait()

    def __iter__(self) -> Iterator[R]:
        while self._fill():
            later = list(self._jobs)[1:]
            threads = max(1, self._max_threads // len(self._jobs))
            for job in later:
                if not job.is_started:
                    job.start(threads)
            self._on_turn(self._jobs[0].item)
            with at_most(threads if later else 0):
                result = self._jobs[0].result()
            self._jobs.popleft()
            yield result
        if self._error is not None:
            raise self._error

    def _fill(self) -> bool:
        """Draw items until every thread has one. Returns whether there are any. An error of the iterator is raised later, after the
        results of the items before it."""
        while not self._ended and len(self._jobs) < self._max_threads:
            if self._jobs and (self._is_barrier(self._jobs[-1].item) or not self._can_draw()):
                break
            try:
                item = next(self._items)
            except StopIteration:
                self._ended = True
            except Exception as error:
                self._error, self._ended = error, True
            else:
                self._jobs.append(_Job(item, self._function))
        return bool(self._jobs)


class TotalProgress:
    """The progress of several items together: `report` is called with the sum."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report, self._lock, self._total = report, Lock(), 0

    def item_report(self) -> Callable[[int], None]:
        """The report of one item, to be called with the part of it that is done."""
        done = 0

        def report(now: int) -> None:
            nonlocal done
            with self._lock:
                self._total += now - done
                done = now
                self._report(self._total)

        return report
