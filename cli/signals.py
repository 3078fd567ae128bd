"""Signals that end the process unwind it first, so that every `with` cleans up."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from threading import current_thread, main_thread
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_asked = 0  # the signal that asked us to stop
_holding = 0  # of the main thread, which alone hears signals
_over = False
#: raises where nobody waits for the work at hand any more
_wanted: ContextVar[Callable[[], None]] = ContextVar("wanted", default=lambda: None)


class Interrupted(KeyboardInterrupt):
    """A signal asks us to stop: unwind, then exit with 128 + its number."""

    def __init__(self, signum: int = signal.SIGINT) -> None:
        self.signum = signum


def _stop(signum: int, frame: FrameType | None) -> None:
    global _asked
    _asked = _asked or (signum if signum != _AGAIN else 0)
    if not _asked or _holding or _over:
        return
    if _AGAIN and _fragile(frame):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    raise Interrupted(_asked)


#: the timer that asks again a little later
_AGAIN = getattr(signal, "SIGALRM", 0)


def _fragile(frame: FrameType | None) -> bool:
    """Whether an exception may not be raised here: in the midst of an import some modules abort."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def install() -> None:
    """From here on those signals that are not ignored (nohup) raise Interrupted wherever the main thread is."""
    for each in (getattr(signal, name, None) for name in (*NAMES, "SIGALRM")):
        if each and signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, _stop)


def over() -> None:
    """Nothing is left to clean up: further signals change nothing any more."""
    global _over
    _over = True
    for each in (getattr(signal, name, None) for name in (*NAMES, "SIGALRM")):
        if each:  # while Python shuts down it would give them back their default, which is to die
            signal.signal(each, signal.SIG_IGN)


def check() -> None:
    """Raise Interrupted if that was asked for, and what `stopping` raises. Wherever the handler ran (in a finaliser, within an
    import), its exception may have been swallowed, or become another one; in other threads it never runs."""
    if _asked and not _over and not (_holding and _in_main_thread()):
        raise Interrupted(_asked)
    _wanted.get()()


@contextlib.contextmanager
def stopping(wanted: Callable[[], None]) -> Iterator[None]:
    """Work that somebody may give up: `check` calls `wanted`, which raises then."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


def _in_main_thread() -> bool:
    return current_thread() is main_thread()


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Steps that belong together: a signal is acted upon when they are done. What another thread does no signal interrupts."""
    global _holding
    held = _in_main_thread()
    _holding += held
    try:
        yield
    finally:
        _holding -= held
    check()


def default_until_installed() -> None:
    """While modules are imported and nothing is open, Ctrl-C may end the process as it does any other."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def occupy_standard_streams() -> None:
    """Open those of 0, 1, 2 that are closed, on nothing, lest a file we open becomes somebody's stderr."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
