"""Inputs and outputs on other file systems, by names such as s3://bucket/a.tokp, through fsspec.

An output is written to a temporary file here, and uploaded when it is complete: nothing half-written gets its name. A name is checked
before the work, not locked: another process may take it meanwhile.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from .output import OutputError, exists

#: a protocol, or several in a chain (filecache::https://…)
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*::)*[a-zA-Z][a-zA-Z0-9+.-]+://")
#: fsspec would send a POST request
READ_ONLY = ("http", "https")


def is_url(name: str) -> bool:
    """Whether a name is one of another file system. A file here with such a name is called ./a://b."""
    return _URL.match(name) is not None


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors of fsspec and of its file systems name the file."""
    try:
        yield
    except ModuleNotFoundError:
        raise
    except FileNotFoundError as error:
        if isinstance(error.__cause__, OSError):  # of an HTTP server that does not answer
            raise OutputError(f"{name}: cannot be reached: {error.__cause__}") from error
        raise OutputError(f"{name}: there is no such file, or no such folder") from error
    except (ImportError, NotImplementedError, OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise OutputError(f"{name}: fsspec cannot open it: {reason}") from error


def _found(name: str) -> tuple[Any, str]:
    """(file system, path in it)."""
    with _named(name):
        import fsspec

        return fsspec.core.url_to_fs(name)  # type: ignore[no-any-return]


@contextlib.contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """An input to read."""
    system, path = _found(name)
    with _named(name):
        file = system.open(path, "rb")
    with file:
        yield cast(BinaryIO, _Reading(file, name))


class _Reading(io.RawIOBase):
    """A file of fsspec, whose errors name it. Libraries of connections have errors of their own, which are no OSError."""

    def __init__(self, file: Any, name: str) -> None:
        self._file, self._name = file, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self._file.read(size))
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise OutputError(f"{self._name}: reading failed: {reason}: try again") from error

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def created(name: str, force: bool) -> Iterator[BinaryIO]:
    """A file to write, which is uploaded at the end of the `with`, unless that raises. Raises OutputError where the name is taken."""
    if name.partition("://")[0].rpartition("::")[2].lower() in READ_ONLY:
        raise OutputError(f"{name}: HTTP has no files to write: name the output with -o, or use -c")
    system, path = _found(name)
    with _named(name):
        if not force and system.exists(path):
            raise exists(name)
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, "output")
        with open(local, "w+b") as file:
            yield file
        with _named(name):
            system.put_file(local, path)
