"""Inputs and outputs that are not files: standard streams, descriptors, named pipes, devices, remote files."""

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from tokpress.container.varint import write_all

from . import remote
from .output import OutputError, create, named

STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
ADVICE = "write to another place"


def display_name(name: str) -> str:
    """The name of an input, for messages."""
    return "stdin" if name == "-" else name


def descriptor(name: str) -> int | None:
    """The number in the name of an open file: /dev/stdin, /dev/fd/3, /proc/self/fd/3. None for other names."""
    path = os.path.normpath(name)
    folder, base = os.path.split(path)
    if folder in ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", f"/proc/{os.getpid()}/fd") and base.isdecimal():
        return int(base)
    return STREAMS.get(path)


def _dup(name: str, number: int) -> int:
    try:
        return os.dup(number)
    except OSError as error:
        error.filename = name
        raise


def is_stdout(name: str | None) -> bool:
    return name == "-" or (name is not None and descriptor(name) == 1)


def kind(name: str) -> str:
    """ "a stream", "a named pipe", "a socket", "a device" or "a remote file"; "" for a file, a folder or a missing name."""
    if descriptor(name) is not None:
        return "a stream"
    if remote.is_url(name):
        return "a remote file"
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return ""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return "a named pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


@contextlib.contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """An input to read. A descriptor is duplicated, not opened by its name: sockets have none, and the position would be lost."""
    number = descriptor(name)
    if (name == "-" or number == 0) and sys.stdin is None:
        raise OutputError(f"{'stdin' if name == '-' else name}: is closed: name an input file")
    if name == "-":
        yield sys.stdin.buffer
        return
    if remote.is_url(name):
        with remote.opened(name) as file:
            yield file
        return
    with open(name if number is None else _dup(name, number), "rb") as stream:
        yield stream


@contextlib.contextmanager
def writing(name: str, binary: bool, force: bool) -> Iterator[BinaryIO]:
    """A descriptor, a named pipe, a device or a remote file to write to. `binary`: the output is not for a terminal. A remote file
    is overwritten with `force` only."""
    if remote.is_url(name):
        with remote.created(name, force) as file:
            yield file
        return
    number = descriptor(name)
    with named(name, ADVICE), open(name if number is None else _dup(name, number), "wb", buffering=0) as stream:
        if binary and stream.isatty() and not force:
            raise _not_for_terminals(name)
        yield cast(BinaryIO, Direct(stream))


def destination(name: str, force: bool) -> contextlib.AbstractContextManager[BinaryIO]:
    """The output that -o names: a new file, a remote file, or an existing pipe or device."""
    return writing(name, False, force) if kind(name) else create(name, force)


@contextlib.contextmanager
def standard_output(binary: bool, force: bool = True) -> Iterator[BinaryIO]:
    """stdout for bytes. `binary`: the output is not for a terminal."""
    if sys.stdout is None:
        raise OutputError("stdout: is closed: name an output file with -o")
    if binary and sys.stdout.isatty() and not force:
        raise _not_for_terminals("stdout")
    sys.stdout.flush()
    with named("stdout", ADVICE):
        yield cast(BinaryIO, Direct(sys.stdout.buffer))


def _not_for_terminals(name: str) -> OutputError:
    return OutputError(f"{name}: is a terminal, and the output is binary: use -o FILE, or write to it anyway with -f")


def status(stream: Any) -> os.stat_result | None:
    """The status of the regular file behind a stream; None where there is no such file."""
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or without a descriptor
        return None
    return status if stat.S_ISREG(status.st_mode) else None


class Direct:
    """A raw stream that writes all bytes at once, without a buffer."""

    def __init__(self, stream: Any) -> None:
        self._stream = getattr(stream, "raw", stream)

    def write(self, data: bytes) -> int:
        write_all(self._stream, data)
        self._stream.flush()
        return len(data)


class Discard(io.RawIOBase):
    """Accepts all bytes and keeps none."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)
