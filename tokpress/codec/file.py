"""`tokpress.open`: a .tokp file as a Python file, in the manner of `lzma.open`.

Reading holds the source of one frame, and decodes a frame when one of its bytes is read: a seek skips the payloads in between. It
reads their headers, or none with an index (`tokpress index`, docs/format.md).
Writing holds one frame; closing writes the last one. A file that is not closed, or is left by an exception, lacks its last frame, so
it is never taken for complete. Appending adds a member: the file keeps its frames, and reading gives the sources one after another. A
file that lacks its end is not appended to: nothing after that place could be read.

Threads may share a file in a binary mode: each call is atomic. Text modes are as thread-safe as `io.TextIOWrapper`.

>>> import io
>>> with open(buffer := io.BytesIO(), "wt", model="context-mixing") as file:
...     file.write("one line\\nand another\\n")
21
>>> with open(io.BytesIO(buffer.getvalue()), "rt") as file:
...     [line for line in file]
['one line\\n', 'and another\\n']
"""

import builtins
import codecs
import contextlib
import functools
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Literal, TypeVar, cast, overload

from ..container.frames import SYNC
from ..container.short import MARKS
from ..container.varint import need
from ..errors import FormatError
from ..models import store
from ..models.store import ModelName
from .context import Context
from .efforts import Effort
from .options import FRAME_SIZE
from .reader import Frames
from .restore import Decoding
from .sink import FrameSink, options_of

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
C = TypeVar("C", bound=Callable[..., Any])


def _locked(method: C) -> C:
    """A method of TokpressFile that one thread at a time runs."""

    @functools.wraps(method)
    def locked(self: "TokpressFile", *args: Any, **options: Any) -> Any:
        with self._lock:
            return method(self, *args, **options)

    return cast(C, locked)


def _holds_frames(file: PathLike) -> bool:
    """Whether a file exists and has frames to append to. Raises FormatError where it is no .tokp file, or lacks its end."""
    name = os.fsdecode(file)
    try:
        with builtins.open(file, "rb") as stream:
            start = stream.read(len(SYNC))
            if start and start != SYNC and start[:1] not in MARKS:
                raise FormatError(f"{name}: not a .tokp file, so nothing is appended to it: check its name")
            if start and stream.seekable():
                stream.seek(0)
                Frames(stream, Decoding()).seek(0, io.SEEK_END)
    except FileNotFoundError:
        return False
    except FormatError as error:
        if str(error).startswith(name):
            raise
        raise FormatError(
            f"{name}: nothing is appended to an incomplete file: {error}; `tokpress decompress --keep-going` restores what it holds"
        ) from None
    return bool(start)


class TokpressFile(io.BufferedIOBase):
    """A .tokp file as a binary file: mode "rb", "wb" (overwrite), "xb" (a new file only) or "ab" (append).

    file: a path, or a binary file object with read(n) or write(data), which stays open on close. model, models: when reading, used
    beside the shipped models; when writing, the candidates in place of the shipped ones. lanes, effort, context, embed: as in `compress`.
    frame_size, kernel: as in `Options`. index: when reading a file that can seek, the path of its index, or a binary file object.

    Raises FormatError (ChecksumError), ModelMismatchError when reading; FormatError when appending to another kind of file;
    ModelError when a model cannot be opened; TokpressError when writing with a lossy model; ValueError for an index
    where nothing can seek; TypeError where `file` is neither path nor file; BlockingIOError where it is non-blocking and not ready.
    """

    def __init__(
        self,
        file: PathLike | BinaryIO,
        mode: str = "rb",
        *,
        model: ModelName | None = None,
        models: Iterable[ModelName] | None = None,
        lanes: int | None = None,
        effort: Effort = "default",
        frame_size: int = FRAME_SIZE,
        kernel: str = "auto",
        context: bytes | Context | None = None,
        embed: bool = False,
        index: PathLike | BinaryIO | None = None,
    ) -> None:
        self._reader: io.BufferedReader | None = None
        self._sink: FrameSink | None = None
        self._stream: BinaryIO | None = None
        self._lock = threading.RLock()
        if mode not in ("r", "rb", "w", "wb", "x", "xb", "a", "ab"):
            raise ValueError(f"mode must be rb, wb, xb or ab, not {mode!r}")
        if index is not None and mode[0] != "r":
            raise ValueError("an index is for reading: `tokpress index` makes it when the file is complete")
        self._owned = isinstance(file, str | bytes | os.PathLike)
        if not self._owned:
            need(file, "read" if mode[0] == "r" else "write")
        given = store.load_all(model, models)
        options = options_of([] if mode[0] == "r" else given, lanes, frame_size, kernel, effort, context, embed)
        self.appends = mode[0] == "a" and isinstance(file, str | bytes | os.PathLike) and _holds_frames(file)
        if isinstance(file, str | bytes | os.PathLike):
            self._stream = cast(BinaryIO, builtins.open(file, mode[0] + "b"))  # noqa: SIM115 (close() closes it)
        else:
            self._stream = file
        if mode[0] == "r":
            self._reader = io.BufferedReader(self._frames(Decoding(given, kernel, options.context), index))
        else:
            self._sink = FrameSink(self._stream, options)

    def _frames(self, given: Decoding, index: PathLike | BinaryIO | None) -> Frames:
        stream = cast(BinaryIO, self._stream)
        try:
            if isinstance(index, str | bytes | os.PathLike):
                with builtins.open(index, "rb") as indexed:
                    return Frames(stream, given, indexed)
            return Frames(stream, given, index)
        except BaseException:
            self.abandon()
            raise

    # --- state -----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._stream is None

    def readable(self) -> bool:
        self._open()
        return self._reader is not None

    def writable(self) -> bool:
        self._open()
        return self._sink is not None

    def seekable(self) -> bool:
        self._open()
        return self._reader is not None and self._reader.seekable()

    def _open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _reading(self) -> io.BufferedReader:
        self._open()
        if self._reader is None:
            raise io.UnsupportedOperation("this file is open for writing")
        return self._reader

    # --- reading ---------------------------------------------------------------------------------

    @_locked
    def read(self, size: int | None = -1) -> bytes:
        return self._reading().read(-1 if size is None else size)

    @_locked
    def read1(self, size: int = -1) -> bytes:
        return self._reading().read1(size)

    @_locked
    def readinto(self, buffer: Any) -> int:
        return self._reading().readinto(buffer)

    @_locked
    def readline(self, size: int | None = -1) -> bytes:
        return self._reading().readline(-1 if size is None else size)

    @_locked
    def peek(self, size: int = 0) -> bytes:
        """Bytes from here on, without moving; none only at the end."""
        return self._reading().peek(size)

    @_locked
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._reading().seek(offset, whence)

    @_locked
    def tell(self) -> int:
        self._open()
        return self._sink.length if self._sink else self._reading().tell()

    # --- writing ---------------------------------------------------------------------------------

    @_locked
    def write(self, data: Any) -> int:
        self._open()
        if self._sink is None:
            raise io.UnsupportedOperation("this file is open for reading")
        return self._sink.write(data)

    @_locked
    def close(self) -> None:
        """Write the last frame of a file open for writing, and close it. A second close does nothing."""
        sink, self._sink = self._sink, None
        try:
            if sink:
                sink.finish()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without the last frame: the file is not taken for complete."""
        stream, self._stream, self._sink, self._reader = self._stream, None, None, None
        if stream and self._owned:
            stream.close()

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self.abandon() if kind else self.close()

    def __del__(self) -> None:
        if getattr(self, "_sink", None):
            warnings.warn(
                "a tokpress file was not closed, it lacks its end", ResourceWarning, source=self, stacklevel=2
            )
        if hasattr(self, "_stream"):
            with contextlib.suppress(Exception):  # no caller could handle it
                self.abandon()


class _Text(io.TextIOWrapper):
    """Text over a TokpressFile, which stays incomplete where that would."""

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if kind:
            cast(TokpressFile, self.buffer).abandon()
        else:
            self.close()

    def __del__(self) -> None:
        try:
            buffer = cast(TokpressFile, self.buffer)
        except (ValueError, AttributeError):  # detached, or never made
            return
        buffer.__del__()


BinaryMode = Literal["r", "rb", "w", "wb", "x", "xb", "a", "ab"]
TextMode = Literal["rt", "wt", "xt", "at"]


@overload
def open(
    file: PathLike | BinaryIO,
    mode: BinaryMode = "rb",
    *,
    model: ModelName | None = None,
    models: Iterable[ModelName] | None = None,
    lanes: int | None = None,
    effort: Effort = "default",
    frame_size: int = FRAME_SIZE,
    kernel: str = "auto",
    context: bytes | Context | None = None,
    embed: bool = False,
    index: PathLike | BinaryIO | None = None,
) -> TokpressFile: ...
@overload
def open(
    file: PathLike | BinaryIO,
    mode: TextMode,
    *,
    model: ModelName | None = None,
    models: Iterable[ModelName] | None = None,
    lanes: int | None = None,
    effort: Effort = "default",
    frame_size: int = FRAME_SIZE,
    kernel: str = "auto",
    context: bytes | Context | None = None,
    embed: bool = False,
    index: PathLike | BinaryIO | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> io.TextIOWrapper: ...
@overload
def open(
    file: PathLike | BinaryIO,
    mode: str,
    *,
    model: ModelName | None = None,
    models: Iterable[ModelName] | None = None,
    lanes: int | None = None,
    effort: Effort = "default",
    frame_size: int = FRAME_SIZE,
    kernel: str = "auto",
    context: bytes | Context | None = None,
    embed: bool = False,
    index: PathLike | BinaryIO | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> TokpressFile | io.TextIOWrapper: ...
def open(
    file: PathLike | BinaryIO,
    mode: str = "rb",
    *,
    model: ModelName | None = None,
    models: Iterable[ModelName] | None = None,
    lanes: int | None = None,
    effort: Effort = "default",
    frame_size: int = FRAME_SIZE,
    kernel: str = "auto",
    context: bytes | Context | None = None,
    embed: bool = False,
    index: PathLike | BinaryIO | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> TokpressFile | io.TextIOWrapper:
    """Open a .tokp file: "rb" (the default), "wb", "xb", "ab" as a TokpressFile, "rt", "wt", "xt", "at" as text over it.

    Threads may share a file in a binary mode, not in a text mode. Frames are verified one by one; a member that is read from beginning
    to end is compared with its digest too.

    `encoding` (by default UTF-8), `errors` and `newline` are those of the built-in `open`; the rest is as in `TokpressFile`.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = folder.name + "/log.tokp"
    >>> for line in ["first\\n", "second\\n"]:
    ...     with open(path, "at", model="context-mixing") as log:
    ...         _ = log.write(line)
    >>> with open(path) as log:
    ...     log.seek(6)
    ...     log.read()
    6
    b'second\\n'
    >>> folder.cleanup()
    """
    if not isinstance(mode, str):
        raise TypeError(f"mode is a str such as 'rb' or 'wt', not {type(mode).__name__}")
    text = "t" in mode
    if text and "b" in mode:
        raise ValueError(f"mode must be text or binary, not both: {mode!r}")
    if not text and (encoding, errors, newline) != (None, None, None):
        raise ValueError("encoding, errors and newline belong to text modes: rt, wt, xt, at")
    binary = TokpressFile(
        file,
        mode.replace("t", ""),
        model=model,
        models=models,
        lanes=lanes,
        effort=effort,
        frame_size=frame_size,
        kernel=kernel,
        context=context,
        embed=embed,
        index=index,
    )
    if not text:
        return binary
    return _Text(cast(BinaryIO, binary), _with_mark(binary, encoding or "utf-8"), errors, newline)


def _with_mark(binary: TokpressFile, encoding: str) -> str:
    """Write the byte order mark, which TextIOWrapper omits if it cannot seek. Returns the encoding of the text after it."""
    name = codecs.lookup(encoding).name
    if binary.writable() and not binary.appends and name in ("utf-16", "utf-32"):
        binary.write("".encode(encoding))
    if binary.appends and name == "utf-8-sig":
        return "utf-8"  # the mark stands at the beginning already
    return encoding
