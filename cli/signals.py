"""Signals that end the process. They raise an exception first, so that every `with` cleans up."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from threading import current_thread, main_thread
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
#: the timer that repeats a signal a little later
_TIMER = getattr(signal, "SIGALRM", 0)
_received = 0  # the signal that ends the process
_holding = 0  # number of `held` blocks of the main thread, which alone receives signals
_finished = False
#: raises where the result of the current job is no longer needed
_check_job: ContextVar[Callable[[], None]] = ContextVar("check_job", default=lambda: None)


class Interrupted(KeyboardInterrupt):
    """A signal ends the process: unwind, then exit with 128 + its number."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        self.signum = signum


def handle(signum: int, frame: FrameType | None) -> None:
    """The handler of all signals."""
    global _received
    _received = _received or (signum if signum != _TIMER else 0)
    if not _received or _holding or _finished:
        return
    if _TIMER and _is_lost_in(frame):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    raise Interrupted(_received)


def _is_lost_in(frame: FrameType | None) -> bool:
    """Whether an import or a finaliser runs: an exception aborts the process in some modules, and is lost in a finaliser."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>" or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def install() -> None:
    """From here on, signals raise Interrupted in the main thread, except those that are ignored (nohup)."""
    for signum in _numbers():
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, handle)


def finish() -> None:
    """Nothing is left to clean up: further signals have no effect."""
    global _finished
    _finished = True
    for signum in _numbers():  # Python would restore their default, which kills, while it shuts down
        signal.signal(signum, signal.SIG_IGN)


def _numbers() -> Iterator[int]:
    for name in (*NAMES, "SIGALRM"):
        if signum := getattr(signal, name, None):
            yield signum


def check() -> None:
    """Raise Interrupted after a signal, or the error of the function that `stopping` has set.

    The exception of the handler may be lost, in a finaliser or an import, and other threads never get it."""
    if _received and not _finished and not (_holding and _in_main_thread()):
        raise Interrupted(_received)
    _check_job.get()()


@contextlib.contextmanager
def stopping(check_job: Callable[[], None]) -> Iterator[None]:
    """A job whose result may become useless: `check` calls `check_job`, which then raises."""
    before = _check_job.set(check_job)
    try:
        yield
    finally:
        _check_job.reset(before)


def _in_main_thread() -> bool:
    return current_thread() is main_thread()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Steps that belong together: a signal is handled after the last one. Signals never interrupt other threads."""
    global _holding
    depth = int(_in_main_thread())
    _holding += depth
    try:
        yield
    finally:
        _holding -= depth
    check()


def default_until_installed() -> None:
    """While modules are imported and no file is open, Ctrl-C ends the process at once."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def occupy_standard_streams() -> None:
    """Open /dev/null in place of closed descriptors 0, 1 and 2, so that no other file gets one of these numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
