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
    def __init__(self, item: T, work: Callable[[T], R]) -> None:
        self.item = item
        self._task = Task(work, item)
        self._runs = False

    def start(self, threads: int) -> None:
        """Run in a new thread, which may use `threads` threads in all and sees the caller's context variables. Does nothing where
        no thread can be started."""

        def run() -> None:
            with at_most(threads):
                self._task.run()

        with suppress(RuntimeError, MemoryError):
            Thread(target=copy_context().run, args=(run,), name="tokpress-ahead", daemon=True).start()
            self._runs = True

    def result(self) -> R:
        if not self._runs:
            self._runs = True
            self._task.run()
        return self._task.result()

    def wait(self) -> None:
        if self._runs:
            with suppress(BaseException):
                self._task.result()


class Ahead(Generic[T, R]):
    """Results of `work(item)` for each item, in order: an iterator, and a context that ends all threads.

    most: threads in all, fewer under a limit of `at_most`. alone(item): whether the next item may be drawn only when this one is
    done. due(item): called in the caller's thread when the item's turn comes. ready(): whether an item can be drawn without
    waiting; until it can, the drawn items are worked on. `work` should call `check` regularly: it raises Stopped once the context
    has ended."""

    def __init__(
        self,
        items: Iterator[T],
        work: Callable[[T], R],
        most: int,
        alone: Callable[[T], bool] = lambda item: False,
        due: Callable[[T], None] = lambda item: None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._items, self._work, self._most, self._alone = items, work, allowed(most), alone
        self._due, self._ready = due, ready
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
            behind = list(self._jobs)[1:]
            each = max(1, self._most // len(self._jobs))
            for job in behind:
                if not job._runs:
                    job.start(each)
            self._due(self._jobs[0].item)
            with at_most(each if behind else 0):
                result = self._jobs[0].result()
            self._jobs.popleft()
            yield result
        if self._error is not None:
            raise self._error

    def _fill(self) -> bool:
        """Draw items until every thread has one. Returns whether there are any. An error of the iterator is raised later, after the
        results of the items before it."""
        while not self._ended and len(self._jobs) < self._most:
            if self._jobs and (self._alone(self._jobs[-1].item) or not self._ready()):
                break
            try:
                item = next(self._items)
            except StopIteration:
                self._ended = True
            except Exception as error:
                self._error, self._ended = error, True
            else:
                self._jobs.append(_Job(item, self._work))
        return bool(self._jobs)


class Sum:
    """The progress of several items together: `report` is called with the sum."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report, self._lock, self._total = report, Lock(), 0

    def of_one(self) -> Callable[[int], None]:
        """The report of one item, to be called with the part of it that is done."""
        done = 0

        def report(now: int) -> None:
            nonlocal done
            with self._lock:
                self._total += now - done
                done = now
                self._report(self._total)

        return report
