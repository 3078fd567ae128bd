"""Delay `os.fork` until no other thread imports a module of tokpress.

A child of fork has only the thread that forked. A module that another thread was importing keeps its lock in the child for
ever, and the first import of it there never returns. tokpress imports much on first use, so a fork waits until no other
thread imports anything for tokpress. exact/threads.py starts new threads in the child.
"""

import os
import sys
import time
from _thread import get_ident  # threading takes 1 ms to import
from types import FrameType

#: seconds between two checks, and until a fork goes ahead whatever other threads import
POLL_SECONDS, MAX_WAIT_SECONDS = 0.002, 120.0


def _imports_for_tokpress(frame: FrameType | None) -> bool:
    importing = by_tokpress = False
    while frame is not None:
        importing = importing or frame.f_code.co_filename.startswith("<frozen importlib")
        by_tokpress = by_tokpress or frame.f_globals.get("__name__", "").partition(".")[0] == "tokpress"
        frame = frame.f_back
    return importing and by_tokpress


def wait_for_imports() -> None:
    """Wait while another thread imports something on behalf of tokpress."""
    this_thread, deadline = get_ident(), time.monotonic() + MAX_WAIT_SECONDS
    while time.monotonic() < deadline:
        frames = sys._current_frames()
        frames.pop(this_thread, None)
        if not any(map(_imports_for_tokpress, frames.values())):
            return
        del frames
        time.sleep(POLL_SECONDS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=wait_for_imports)
