"""Numbers, complete reads and writes, and sizes in words, for every layer of the container."""

import errno
import io
from collections.abc import Callable
from typing import Any, BinaryIO

from ..errors import FormatError

PIECE = 1 << 20  # most bytes read and allocated at a time
COPY = "get an undamaged copy"
ADVICE = f"{COPY}; tokpress decompress --keep-going restores the rest"


def pack_varint(number: int) -> bytes:
    """LEB128: seven bits a byte, lowest first; the top bit is set in all but the last. 300 is ac 02."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def take_varint(take: Callable[[int], bytes], where: str) -> int:
    """The next number, of at most nine bytes. Raises FormatError where it is longer, or has a shorter encoding."""
    number = 0
    for group in range(9):
        byte = take(1)[0]
        number |= (byte & 127) << 7 * group
        if byte == 0 and group:  # a shorter encoding exists
            break
        if byte < 128:
            return number
    raise FormatError(f"{where}: impossible header, a number is spelled longer than it may be: {ADVICE}")


def need(file: Any, *methods: str) -> None:
    """Raises TypeError where a file object lacks one of these methods."""
    if missing := [name for name in methods if not callable(getattr(file, name, None))]:
        raise TypeError(f"{type(file).__name__} object is no file to {methods[0]}: it has no {missing[0]}() method")


def can_seek(stream: Any) -> bool:
    """Whether a file object can seek; an object without seekable() cannot."""
    seekable = getattr(stream, "seekable", None)
    return callable(seekable) and bool(seekable())


def has_more_now(source: BinaryIO) -> bool:
    """Whether a read returns without waiting: of a file, or of a pipe that holds bytes or has ended. True where unknown."""
    if can_seek(source) or not hasattr(source, "fileno"):
        return True
    import select

    try:
        return bool(select.select([source.fileno()], [], [], 0)[0])
    except io.UnsupportedOperation:  # an object without a file descriptor
        return True
    except (OSError, ValueError):  # a system without select for pipes, or a descriptor that is too large for it
        return False


def read_if_ready(stream: BinaryIO, count: int) -> bytes | None:
    """Up to `count` bytes; none only at the end of the stream. None where a non-blocking stream has none yet. Raises TypeError where
    the stream is a text file."""
    data: Any = stream.read(count)
    if isinstance(data, str):
        raise TypeError(f"{type(stream).__name__} object is a text file: open it in binary mode")
    return None if data is None else bytes(data)


def read_some(stream: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes; none only at the end of the stream. Raises BlockingIOError where a non-blocking stream has none yet,
    TypeError where the stream is a text file."""
    if (data := read_if_ready(stream, count)) is None:
        raise BlockingIOError(errno.EAGAIN, "the input is not ready: make the stream blocking, or wait for it")
    return data


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes; fewer only at the end of the stream. (One read of a pipe may return fewer.)"""
    data = read_some(stream, count)
    while data and len(data) < count and (more := read_some(stream, count - len(data))):
        data += more
    return data


def as_bytes(data: Any) -> memoryview:
    """The bytes of an object with a contiguous buffer, also of an empty array. Raises TypeError, which tells of `encode` where it is a
    text."""
    if isinstance(data, str):
        raise TypeError("a str has no bytes of its own: give text.encode() (and decode() what is restored)")
    try:
        view = memoryview(data)
    except TypeError:
        message = f"{type(data).__name__} object has no bytes: give bytes, or an object with a buffer, such as a memoryview or an array"
        raise TypeError(message) from None
    return view.cast("B") if view.nbytes else memoryview(b"")


def write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of `data`. (A raw stream may take less in one call.) Raises BlockingIOError where a non-blocking stream takes no
    more, OSError where a stream takes nothing."""
    view, done = as_bytes(data), 0
    while done < len(view):
        taken: Any = stream.write(view[done:])
        if taken is None:
            if isinstance(stream, io.RawIOBase):
                why = "the output takes no more for now: make the stream blocking, or write to a file"
                raise BlockingIOError(errno.EAGAIN, why, done)
            return  # an object that returns None has taken all
        if not 0 < taken <= len(view) - done:
            raise OSError(errno.EIO, f"the output took {taken} of {len(view) - done:,} bytes: it cannot be written to")
        done += taken


def size(count: int) -> str:
    """A number of bytes in words, with three digits."""
    power = 0 if count < 10_000 else 1 if count < 10**6 else 2 if count < 10**9 else 3
    return f"{count / 1000**power:,.1f} {' kMG'[power]}B" if power else f"{count:,} byte{'s' * (count != 1)}"
