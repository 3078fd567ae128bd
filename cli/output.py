"""Files that appear whole under their name, or not at all.

An output is written beside its target under a name of its own, and gets the target's name only when all of it
has been written. Without `force` that step fails if the target has come to exist meanwhile.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from tokpress.errors import TokpressError

from . import signals

PREFIX = ".tokp-"
FULL = {getattr(errno, name, 0) for name in ("ENOSPC", "EDQUOT", "EFBIG")}
_unfinished: set[str] = set()  # temporary files that exist, or are about to


class OutputError(TokpressError):
    """The target cannot be written to."""


class Direct:
    """A raw stream whose writes arrive at once and whole."""

    def __init__(self, stream: Any) -> None:
        self._stream = getattr(stream, "raw", stream)

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:  # a raw stream may take less than it is given
            view = view[self._stream.write(view) :]
        self._stream.flush()
        return len(data)


class Nowhere(io.RawIOBase):
    """Takes everything, keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


def check(target: str, source: str, force: bool) -> None:
    """Raise OutputError for what can be known before the work starts."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        if os.path.islink(target) and not force:  # to nothing
            raise _exists(target) from None
        if not os.path.isdir(folder := os.path.dirname(target) or "."):
            raise OutputError(
                f"{target}: there is no folder {folder}: make it first, or choose another with -o"
            ) from None
        return
    if stat.S_ISDIR(found.st_mode):
        raise OutputError(f"{target}: is a directory: name a file with -o")
    if source != "-" and os.path.samestat(found, os.stat(source)):
        raise OutputError(f"{target}: is the input itself: choose another name with -o")
    if stat.S_ISREG(found.st_mode) and not force:
        raise _exists(target)


def _exists(target: str) -> OutputError:
    return OutputError(f"{target}: exists already: overwrite it with -f, or choose another name with -o")


@contextlib.contextmanager
def create(
    target: str, force: bool = False, like: os.stat_result | None = None, sync: bool = False
) -> Iterator[BinaryIO]:
    """A file to write, which becomes `target` at the end of the `with`, unless it ends by an exception.

    `like`: the input whose mode bits and times it takes. `sync`: on disk before this returns."""
    if os.path.exists(target) and not os.path.isfile(target):  # a device, a named pipe
        with _told(target), open(target, "wb", buffering=0) as device:
            yield cast(BinaryIO, Direct(device))
        return
    temporary = os.path.join(os.path.dirname(target), PREFIX + secrets.token_hex(8))
    _unfinished.add(temporary)
    try:
        with _told(target):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o600 if like else 0o666), "w+b") as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            if like:
                _resemble(temporary, like)
            signals.check()
            with signals.held():
                _publish(temporary, target, force)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        _unfinished.discard(temporary)


def _resemble(path: str, like: os.stat_result) -> None:
    """Owner, group, mode bits and times, as far as we may. Nobody gets to read who could not read the input."""
    with contextlib.suppress(OSError, AttributeError):  # not every file system has these, nor every system chown
        mode, now = like.st_mode & 0o777, os.stat(path)
        if now.st_uid != like.st_uid:
            with contextlib.suppress(OSError):  # for root only
                os.chown(path, like.st_uid, -1)
        if now.st_gid != like.st_gid:
            try:
                os.chown(path, -1, like.st_gid)
            except OSError:  # its group is another one: no more than everybody may do
                mode &= 0o707 | (mode & 0o007) << 3
        os.chmod(path, mode)
        os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))


LEFT_NOTHING = "nothing was left behind; free some space here or in $TMPDIR, or choose another place with -o"


@contextlib.contextmanager
def _told(target: str, advice: str = LEFT_NOTHING) -> Iterator[None]:
    """Name the target instead of the temporary file; say what to do about a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise OutputError(f"{target}: {error.strerror}: {advice}") from error
        if PREFIX in os.path.basename(str(error.filename or "")):
            raise OutputError(f"{target}: {error.strerror}: choose another place with -o") from error
        raise


def _publish(temporary: str, target: str, force: bool) -> None:
    if force:
        return os.replace(temporary, target)
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # no hard links here: reserve the name, then take its place
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            raise _exists(target) from None
        try:
            os.replace(temporary, target)
        except OSError:
            os.unlink(target)
            raise


@contextlib.contextmanager
def standard_output(binary: bool, force: bool = True, source: str = "-") -> Iterator[BinaryIO]:
    """stdout for bytes. `binary`: a terminal could not show them."""
    if sys.stdout is None:
        raise OutputError("stdout: is closed: name an output with -o")
    if binary and sys.stdout.isatty() and not force:
        raise OutputError("stdout: compressed bytes make no sense on a terminal: use -o FILE, or -f to insist")
    sys.stdout.flush()
    try:
        found = os.fstat(sys.stdout.fileno())
        if source != "-" and stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(source)):
            raise OutputError(f"{source}: is both input and output: send the output elsewhere")
    except io.UnsupportedOperation:  # a test's stdout is no file
        pass
    with _told("stdout", "send the output elsewhere"):
        yield cast(BinaryIO, Direct(sys.stdout.buffer))


def sweep() -> None:
    """Remove what is unfinished: the last resort, should a `with` have been interrupted twice."""
    for path in _unfinished:
        with contextlib.suppress(OSError):
            os.unlink(path)
