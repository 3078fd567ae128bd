"""Threads of a frame: how many it may use, and a second thread for work that Python steps.

`share_rows` gives each of the two threads half of the rows. numpy and the core release the interpreter, and rows do not depend on
each other, so the bits cannot change.

A second thread only saves time. Where none can be started (a limit on processes, little memory, an interpreter that is
shutting down), one thread does all work. A child of `fork` has only the thread that forked, so it starts its own.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from threading import Event, Lock, Thread, get_ident
from typing import Any, Generic, TypeVar, cast

from ..errors import TokpressError

R = TypeVar("R")

#: seconds until a thread is asked for again, after none could be started
PATIENCE = 60.0


class Task(Generic[R]):
    """Work that another thread does. `run` never raises: `result` does."""

    def __init__(self, work: Callable[..., R], *args: Any) -> None:
        self._work, self._args, self._process = work, args, os.getpid()
        self._ended = Event()
        self._value: R | None = None
        self._error: BaseException | None = None
        #: a plain attribute: a lock might be held by a thread that a fork leaves behind
        self.done = False

    def run(self) -> None:
        try:
            self._value = self._work(*self._args)
        except BaseException as error:  # the thread that waits gets it
            self._error = error
        del self._work, self._args
        self.done = True
        self._ended.set()

    def result(self) -> R:
        """Wait for the end. Raises what the work has raised, and TokpressError in a child of fork that has lost it."""
        if not self.done:
            if self._process != os.getpid():
                raise TokpressError(
                    "this process was forked while another thread was at work for it: begin the work anew"
                )
            self._ended.wait()
        if self._error is not None:
            raise self._error
        return cast(R, self._value)


class Helper:
    """A thread that does one task after the other as long as the process lives: a step of some models takes no longer than
    the start of a thread."""

    def __init__(self) -> None:
        """Raises RuntimeError or MemoryError where no thread can be started."""
        self._tasks: SimpleQueue[Task[Any]] = SimpleQueue()
        self._last: Task[Any] | None = None
        Thread(target=self._serve, name="tokpress", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._tasks.get().run()

    @property
    def busy(self) -> bool:
        """Whether a new task would wait for another one."""
        return self._last is not None and not self._last.done

    def submit(self, work: Callable[..., R], *args: Any) -> Task[R]:
        task = Task(work, *args)
        self._last = task
        self._tasks.put(task)
        return task


#: threads that the work at hand may use; 0: all
_most: ContextVar[int] = ContextVar("most threads", default=0)


def processors() -> int:
    """How many this process may use; `-T` and OMP_NUM_THREADS limit it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit) if limit.isdigit() and int(limit) else available))


def allowed(count: int) -> int:
    """`count` threads, or as many as `at_most` leaves of them; `count` 0 stands for all, and 0 comes back where nothing limits them."""
    return min(filter(None, (count, _most.get())), default=0)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Steps inside use at most `count` threads. A limit around this one stays: 0, or a larger count, changes nothing."""
    before = _most.set(allowed(count))
    try:
        yield
    finally:
        _most.reset(before)


def _can_start(count: int) -> bool:
    go_on, started = Event(), []
    try:
        for _ in range(count):
            started.append(Thread(target=go_on.wait, daemon=True))
            started[-1].start()
        return True
    except (RuntimeError, MemoryError):
        started.pop()
        return False
    finally:
        go_on.set()
        for thread in started:
            thread.join()


class Crew:
    """The threads that share the work of a process; its module has one. A child of fork begins with a new one.

    processors: tells how many there are. patience: seconds until a thread is asked for again, after none could be started."""

    def __init__(self, processors: Callable[[], int] = processors, patience: float = PATIENCE) -> None:
        self._processors, self._patience = processors, patience
        self._lock = Lock()
        self._helper: Helper | None = None
        self._again = 0.0
        self._pool_can_start: bool | None = None
        #: what `start_in_background` has begun
        self._background: list[Task[Any]] = []

    def pool_can_start(self) -> bool:
        """Whether a library may start a thread for each processor: some panic where they cannot. Tried once."""
        if self._pool_can_start is None:
            self._pool_can_start = _can_start(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        return self._pool_can_start

    def threads(self) -> int:
        """How many threads may share a step: the free processors, or 1 while the second thread is at work. Whether so many can be
        started is for who starts them."""
        free = allowed(max(1, self._processors() - sum(not task.done for task in self._background)))
        return 1 if free < 2 or (self._helper is not None and self._helper.busy) else free

    def share_rows(self, work: Callable[[slice], R], rows: int) -> list[R]:
        """`work` on all rows in two halves at once, where there are two processors and a second thread: the results in order."""
        helper = self._found_helper() if rows >= 2 and self.threads() >= 2 else None
        if helper is None:
            return [work(slice(0, rows))]
        half = rows // 2
        other = helper.submit(work, slice(half, rows))
        return [work(slice(0, half)), other.result()]

    def _found_helper(self) -> Helper | None:
        """None where no thread can be started."""
        with self._lock:
            if self._helper is None and time.monotonic() >= self._again:
                try:
                    self._helper = Helper()
                except (RuntimeError, MemoryError):
                    self._again = time.monotonic() + self._patience
            return self._helper

    def start_in_background(self, work: Callable[[], R]) -> Callable[[], R]:
        """Start `work` on a second thread; returns a function that waits for its result. While it runs, `threads()` counts one
        processor less. Where no second thread is free, `work` runs at once."""
        if self.threads() < 2:
            result = work()
            return lambda: result
        task = Task(work)
        try:
            Thread(target=task.run).start()
        except (RuntimeError, MemoryError):  # no thread can be started
            task.run()
        self._background[:] = [*(other for other in self._background if not other.done), task]
        return task.result


_crew = Crew()


def pool_can_start() -> bool:
    """`Crew.pool_can_start` of this process."""
    return _crew.pool_can_start()


def threads() -> int:
    """`Crew.threads` of this process."""
    return _crew.threads()


def most_threads() -> int:
    """How many threads may share a step once all processors are free."""
    return allowed(processors())


def share_rows(work: Callable[[slice], R], rows: int) -> list[R]:
    """`Crew.share_rows` of this process."""
    return _crew.share_rows(work, rows)


def start_in_background(work: Callable[[], R]) -> Callable[[], R]:
    """`Crew.start_in_background` of this process."""
    return _crew.start_in_background(work)


class Blas:
    """numpy's BLAS, and who is inside `one_blas_thread`: the first limits it, the last lets it go.

    libraries: a selection of threadpoolctl's; None: found when it is first needed."""

    def __init__(self, libraries: Any = None) -> None:
        self._lock = Lock()
        #: each one that is inside → its thread
        self._users: dict[object, int] = {}
        self._libraries = libraries
        self._limit: Any = None

    def enter(self) -> object:
        user = object()
        with self._lock:
            self._users[user] = get_ident()
            if self._limit is None:
                if self._libraries is None:
                    from threadpoolctl import ThreadpoolController

                    self._libraries = ThreadpoolController().select(user_api="blas")
                self._limit = self._libraries.limit(limits=1)
        return user

    def leave(self, user: object) -> None:
        with self._lock:
            self._users.pop(user, None)
            if not self._users and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None

    def after_fork(self) -> None:
        """The other threads are gone, and will not leave. A limit of theirs ends with the next one that leaves."""
        self._lock = Lock()
        self._users = {user: thread for user, thread in self._users.items() if thread == get_ident()}


_BLAS = Blas()


def _after_fork() -> None:
    global _crew
    _crew = Crew()
    _BLAS.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products of a few lanes are too small for BLAS threads: beside other work they wait for each other, and a
    step takes ten times as long. The command line sets OPENBLAS_NUM_THREADS instead, which starts none."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        yield
        return
    user = _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave(user)
