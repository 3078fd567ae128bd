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
    # products of a few lanes are too small for BLAS threads, which on a busy machine spend their time waiting
    # for each other; tokpress shares out lanes instead (tokpress.exact.threads)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if os.environ.get("HOME") == "":  # is no home, and would be taken for /
        del os.environ["HOME"]
    if not os.path.isabs(os.path.expanduser("~")):  # no home: libraries would make a folder called "~" in this one
        os.environ["HOME"] = os.devnull
    from . import overview

    with contextlib.suppress(OSError):  # what cannot be printed is told below
        if (code := overview.answer(sys.argv[1:])) is not None:
            sys.exit(code)
    from .signals import default_until_installed, occupy_standard_streams

    default_until_installed()
    occupy_standard_streams()
    from .main import run

    run()


def process() -> None:
    """The whole process of the command: `main`, then an end without taking the interpreter apart, which would take 15 ms.

    What was registered with `atexit` runs, and streams are flushed. Where another thread still works, or torch is here, which has
    more to clean up, Python ends as it always does."""
    try:
        main()
        code = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    threading = sys.modules.get("threading")
    if "torch" in sys.modules or (threading and any(map(_is_at_work, threading.enumerate()))):
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or no file: `main` has told
            stream.flush()
    os._exit(code)


def _is_at_work(thread: Thread) -> bool:
    """Whether Python would wait for it at its end."""
    return not thread.daemon and thread.ident != get_ident()
