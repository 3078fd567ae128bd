"""Limits of the system on a process: memory, threads, processes."""

import errno
import os

from tokpress.errors import TokpressError

#: bytes of address space that the smallest file needs
LEAST_ADDRESSES = 64 << 20


def addresses() -> int | None:
    """The limit on the address space of this process, in bytes; None: no limit."""
    try:
        import resource
    except ImportError:  # not on this system
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def check() -> None:
    """Raise TokpressError where the memory limit is too low to code anything."""
    limit = addresses()
    if limit is not None and limit < LEAST_ADDRESSES:
        raise TokpressError(
            f"not enough memory: this process is limited to {limit >> 20:,} MiB of address space, and tokpress needs "
            f"{LEAST_ADDRESSES >> 20:,} MiB: raise the limit (ulimit -v {LEAST_ADDRESSES >> 10})"
        )


def message(error: BaseException, compressing: bool) -> str | None:
    """The message for an error that a limit causes; None for other errors."""
    if _is_out_of_memory(error):
        return f"not enough memory{_memory_advice(compressing)}"
    if (isinstance(error, RuntimeError) and "start new thread" in str(error)) or _is_fork(error):
        return "this user may start no more threads or processes (ulimit -u): end some, or raise the limit"
    return None


def _memory_advice(compressing: bool) -> str:
    limit = addresses()
    if limit is not None:
        lzma = ": lzma takes up to 400 MiB for a large file" if compressing else ""
        return f" (this process is limited to {limit >> 20:,} MiB of address space: ulimit -v): raise the limit{lzma}"
    if compressing:
        return ": try a smaller --frame-size or fewer --lanes"
    return ": end other processes, or use a larger machine"


def _is_out_of_memory(error: BaseException) -> bool:
    """Also where memory ended during an import: numpy then raises SystemError."""
    if isinstance(error, MemoryError):
        return True
    is_import = isinstance(error, ImportError | OSError | SystemError) and not getattr(error, "errno", None)
    return is_import and addresses() is not None and not isinstance(error, ModuleNotFoundError)


def _is_fork(error: BaseException) -> bool:
    """Whether the system refused to start a process. Errors of non-blocking streams have another text."""
    return isinstance(error, BlockingIOError) and error.strerror == os.strerror(errno.EAGAIN)
