"""Limits that the system sets to a process: on memory, on threads and processes."""

import errno
import os

from tokpress.errors import TokpressError

#: bytes of addresses that the smallest file takes up
LEAST_ADDRESSES = 64 << 20


def addresses() -> int | None:
    """How many bytes of addresses this process may use; None where there is no limit."""
    try:
        import resource
    except ImportError:  # not on this system
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def check() -> None:
    """Raise TokpressError where memory is limited so much that nothing can be coded: before anything is opened."""
    limit = addresses()
    if limit is not None and limit < LEAST_ADDRESSES:
        raise TokpressError(
            f"not enough memory: this process is limited to {limit >> 20:,} MiB of addresses, and tokpress needs "
            f"{LEAST_ADDRESSES >> 20:,} MiB: raise the limit (ulimit -v {LEAST_ADDRESSES >> 10})"
        )


def message(error: BaseException, compressing: bool) -> str | None:
    """What to say of an error if a limit was met; None where it was none."""
    limit = addresses()
    advice = "end other processes, or use a larger machine"
    if limit is not None:
        advice = "raise it" + (": lzma takes up to 400 MiB for a large file" if compressing else "")
    elif compressing:
        advice = "try a smaller --frame-size or fewer --lanes"
    # numpy's import raises SystemError where memory ends within it
    unloaded = isinstance(error, ImportError | OSError | SystemError) and not getattr(error, "errno", None)
    if isinstance(error, MemoryError) or (
        unloaded and limit is not None and not isinstance(error, ModuleNotFoundError)
    ):
        where = "" if limit is None else f" (this process is limited to {limit >> 20:,} MiB of addresses: ulimit -v)"
        return f"not enough memory{where}: {advice}"
    if (isinstance(error, RuntimeError) and "start new thread" in str(error)) or _is_fork(error):
        return "this user may start no more threads or processes (ulimit -u): end some, or raise the limit"
    return None


def _is_fork(error: BaseException) -> bool:
    """Whether the system refused a process. Our own errors about non-blocking streams have other words."""
    return isinstance(error, BlockingIOError) and error.strerror == os.strerror(errno.EAGAIN)
