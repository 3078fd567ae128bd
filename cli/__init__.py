"""The tokpress command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from _thread import get_ident

TYPE_CHECKING = False  # true to type checkers; `--help` imports neither typing nor threading
if TYPE_CHECKING:
    from threading import Thread


def main() -> None:
    gc.set_threshold(300_000)  # imports make many objects and hardly any garbage
    # matrix products of a few lanes are too small for BLAS threads; tokpress divides lanes among threads (tokpress.exact.threads)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get("HOME") == "":  # would be taken for /
        del os.environ["HOME"]
    if not os.path.isabs(os.path.expanduser("~")):  # libraries would create a folder "~" here
        os.environ["HOME"] = os.devnull
    from . import overview

    with contextlib.suppress(OSError):  # reported by `run` below
        if (code := overview.answer(sys.argv[1:])) is not None:
            sys.exit(code)
    from .signals import default_until_installed, occupy_standard_streams

    default_until_installed()
    occupy_standard_streams()
    from .main import run

    run()


def process() -> None:
    """The process of the command: `main`, then an exit without the clean-up of the interpreter, which takes 15 ms.

    Functions of `atexit` run, and streams are flushed. Where another thread runs, or torch is imported, Python exits as usual."""
    try:
        main()
        code = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    threading = sys.modules.get("threading")
    if "torch" in sys.modules or (threading and any(map(_is_waited_for, threading.enumerate()))):
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or not a file: `main` has reported it
            stream.flush()
    os._exit(code)


def _is_waited_for(thread: Thread) -> bool:
    """Whether Python waits for a thread before it exits."""
    return not thread.daemon and thread.ident != get_ident()
