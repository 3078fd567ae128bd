"""Threads of a frame: their largest number, and a second thread for priors that Python steps.

`share_rows` gives each of the two threads half of the rows. numpy and the core release the interpreter. Rows do not depend on each
other, so the bits do not change.

A second thread only saves time. If none can be started (a limit on processes, little memory, an interpreter that is shutting down), one
thread does all the work. A child of `fork` has only the thread that forked, so it starts another one.
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

#: seconds until the next attempt to start a thread, after one failed
PATIENCE = 60.0


class Task(Generic[R]):
    """A function call that another thread makes. Errors are raised by `result`, never by `run`."""

    def __init__(self, function: Callable[..., R], *args: Any) -> None:
        self._function, self._args, self._process = function, args, os.getpid()
        self._ended = Event()
        self._value: R | None = None
        self._error: BaseException | None = None
        #: a plain attribute: a lock might be held by a thread that a fork leaves behind
        self.done = False

    def run(self) -> None:
        try:
            self._value = self._function(*self._args)
        except BaseException as error:  # the thread that waits gets it
            self._error = error
        del self._function, self._args
        self.done = True
        self._ended.set()

    def result(self) -> R:
        """Wait for the function's result. Raises the function's error, and TokpressError in a child of fork, which has lost the thread."""
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
    """A thread that runs one task after another while the process lives. A step of a small model takes no longer than
    starting a thread."""

    def __init__(self) -> None:
        """Raises RuntimeError or MemoryError if no thread can be started."""
        self._tasks: SimpleQueue[Task[Any]] = SimpleQueue()
        self._last: Task[Any] | None = None
        Thread(target=self._serve, name="tokpress", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._tasks.get().run()

    @property
    def busy(self) -> bool:
        """Whether the last task still runs or waits."""
        return self._last is not None and not self._last.done

    def submit(self, function: Callable[..., R], *args: Any) -> Task[R]:
        task = Task(function, *args)
        self._last = task
        self._tasks.put(task)
        return task


#: largest number of threads in this context; 0: no limit
_thread_limit: ContextVar[int] = ContextVar("thread limit", default=0)


def processors() -> int:
    """Number of processors that this process may use. `-T` and OMP_NUM_THREADS limit it."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(limit) if limit.isdigit() and int(limit) else available))


def allowed(count: int) -> int:
    """`count` or the limit of `at_most`, whichever is smaller. 0 means no limit, in `count` and in the result."""
    return min(filter(None, (count, _thread_limit.get())), default=0)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Limit steps inside to `count` threads. An outer, smaller limit stays; 0 sets no limit."""
    before = _thread_limit.set(allowed(count))
    try:
        yield
    finally:
        _thread_limit.reset(before)


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
    """The threads that share the work of a process. A process has one crew; a child of fork begins with a new one.

    processors: returns the number of processors. patience: seconds until the next attempt to start a thread, after one failed."""

    def __init__(self, processors: Callable[[], int] = processors, patience: float = PATIENCE) -> None:
        self._processors, self._patience = processors, patience
        self._lock = Lock()
        self._helper: Helper | None = None
        self._retry_time = 0.0
        self._pool_can_start: bool | None = None
        #: tasks of `start_in_background`
        self._background: list[Task[Any]] = []

    def pool_can_start(self) -> bool:
        """Whether a library can start a thread for each processor: some libraries abort if they cannot. Tested once."""
        if self._pool_can_start is None:
            self._pool_can_start = _can_start(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        return self._pool_can_start

    def threads(self) -> int:
        """Number of threads that may share a step: the free processors, or 1 while the second thread is busy. Starting them may
        still fail."""
        free = allowed(max(1, self._processors() - sum(not task.done for task in self._background)))
        return 1 if free < 2 or (self._helper is not None and self._helper.busy) else free

    def share_rows(self, function: Callable[[slice], R], rows: int) -> list[R]:
        """Call `function` on two halves of the rows at once where there are two processors and a second thread. Returns the results in order."""
        helper = self._found_helper() if rows >= 2 and self.threads() >= 2 else None
        if helper is None:
            return [function(slice(0, rows))]
        half = rows // 2
        other = helper.submit(function, slice(half, rows))
        return [function(slice(0, half)), other.result()]

    def _found_helper(self) -> Helper | None:
        """The second thread; None if it cannot be started."""
        with self._lock:
            if self._helper is None and time.monotonic() >= self._retry_time:
                try:
                    self._helper = Helper()
                except (RuntimeError, MemoryError):
                    self._retry_time = time.monotonic() + self._patience
            return self._helper

    def start_in_background(self, function: Callable[[], R]) -> Callable[[], R]:
        """Start `function` on a second thread. Returns a function that waits for its result. While it runs, `threads()` counts one
        processor less. Where no second thread is free, `function` runs now."""
        if self.threads() < 2:
            result = function()
            return lambda: result
        task = Task(function)
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
    """Number of threads that may share a step when all processors are free."""
    return allowed(processors())


def share_rows(function: Callable[[slice], R], rows: int) -> list[R]:
    """`Crew.share_rows` of this process."""
    return _crew.share_rows(function, rows)


def start_in_background(function: Callable[[], R]) -> Callable[[], R]:
    """`Crew.start_in_background` of this process."""
    return _crew.start_in_background(function)


class Blas:
    """The thread limit of numpy's BLAS. The first user of `one_blas_thread` sets it, the last one removes it.

    libraries: a selection of threadpoolctl's; None: numpy's, found at the first use."""

    def __init__(self, libraries: Any = None) -> None:
        self._lock = Lock()
        #: user → its thread
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
        """Forget the users in other threads, which do not exist in the child. Their limit ends when the next user leaves."""
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
    """Limit BLAS to one thread. Products of a few lanes are too small for BLAS threads: on a busy machine the threads wait for each
    other, and a step takes ten times as long. The command line sets OPENBLAS_NUM_THREADS instead, so that BLAS starts no thread."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        yield
        return
    user = _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave(user)
