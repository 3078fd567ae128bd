"""`tokpress.open`: a .tokp file as a Python file, in the manner of `lzma.open`.

Reading holds one frame's source at a time and decodes a frame only when a byte of it is asked for: a seek goes over
the payloads in between by what their headers say. Writing holds one frame, and closing writes the last one. What is
not closed, or is left by an exception, lacks that last frame and so can never be taken for complete. Appending adds
a member: what the file holds stays as it is, and reading gives one source after the other.

>>> import io
>>> with open(buffer := io.BytesIO(), "wt", model="adaptive") as file:
...     file.write("one line\\nand another\\n")
21
>>> with open(io.BytesIO(buffer.getvalue()), "rt") as file:
...     [line for line in file]
['one line\\n', 'and another\\n']
"""

import builtins
import codecs
import io
import os
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast

from . import pipeline, store
from .container import ADVICE, MAX_SOURCE, SYNC, FrameHeader, Member, Payload, read_header
from .errors import FormatError
from .model import Model

PathLike = str | bytes | os.PathLike


class _Frames(io.RawIOBase):
    """The source behind a stream of frames, read only."""

    def __init__(self, stream: BinaryIO, models: list[Model], kernel: str) -> None:
        self._stream, self._models, self._kernel = stream, models, kernel
        self._can_seek = stream.seekable()
        self._base = stream.tell() if self._can_seek else 0  # the frames may begin inside a file
        self._end = stream.seek(0, io.SEEK_END) if self._can_seek else None
        self._headers: list[FrameHeader] = []  # of the frames met so far, and where the source of each begins
        self._starts: list[int] = []
        self._next = 0  # where the header after those begins, from the base
        self._member, self._complete = Member(), False
        self._position = 0
        self._current = -1  # the frame that is open, its payload, its pieces to come, the last one and where it begins
        self._payload: Payload | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._piece, self._piece_start = b"", 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._can_seek

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if not self._can_seek:
            raise io.UnsupportedOperation("the file underneath cannot seek")
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        if whence == io.SEEK_END:
            while self._meet():
                pass
            offset += self._met
        elif whence == io.SEEK_CUR:
            offset += self._position
        if offset < 0:
            raise ValueError(f"cannot seek to {offset}, before the start")
        while self._met < offset and self._meet():
            pass
        self._position = min(offset, self._met)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if not len(view) or not self._reach():
            return 0
        piece = memoryview(self._piece)[self._position - self._piece_start :][: len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    @property
    def _met(self) -> int:
        """Source bytes of the frames met so far."""
        return self._starts[-1] + self._headers[-1].source_length if self._starts else 0

    def _meet(self) -> bool:
        """Read one more header; False where the file ends. The payload of the one before is read or gone over."""
        if self._complete:
            return False
        if self._can_seek:
            self._stream.seek(self._base + self._next)
        elif self._payload:
            for _ in self._payload:
                pass
        header = read_header(self._stream, self._next, len(self._headers) + 1)
        if header is None:
            if not self._headers:
                raise FormatError("not a .tokp file: it is empty, and even an empty source takes a frame")
            if self._member.due:
                raise FormatError(f"truncated after frame {len(self._headers)}: get a complete copy of the file")
            self._complete = True
            return False
        after = self._next + len(header.pack()) + header.payload_length
        if self._end is not None and self._base + after > self._end:
            raise FormatError(f"{header.where}: truncated inside its payload: get a complete copy of the file")
        if problem := self._member.follow(header):
            raise FormatError(f"{header.where}: {problem}: {ADVICE}")
        self._starts.append(self._met)
        self._headers.append(header)
        self._next = after
        if not self._can_seek or not header.source_length:  # an empty frame is never asked for: have it checked here
            self._open(len(self._headers) - 1)
        return True

    def _open(self, number: int) -> None:
        header = self._headers[number]
        if self._can_seek:
            self._stream.seek(self._base + header.offset + len(header.pack()))
        self._current, self._piece, self._piece_start = number, b"", self._starts[number]
        self._payload = Payload(self._stream, header)
        self._pieces = pipeline.restore_frame(header, self._payload, self._models, self._kernel)

    def _reach(self) -> bool:
        """Have the piece at hand that holds the position; False at the end of the source."""
        while True:
            if 0 <= self._position - self._piece_start < len(self._piece):
                return True
            if self._position >= self._met:
                self._finish()
                if not self._meet():
                    return False
                continue
            number = bisect_right(self._starts, self._position) - 1  # the last to begin there: never an empty one
            if number != self._current or self._position < self._piece_start:
                self._open(number)
            self._step()

    def _step(self) -> bool:
        """The next piece of the open frame. A frame that failed once is decoded afresh when it is asked for again."""
        try:
            piece = next(self._pieces, None)
        except BaseException:
            self._current = -1
            raise
        if piece is None:
            return False
        self._piece_start += len(self._piece)
        self._piece = piece
        return True

    def _finish(self) -> None:
        """Let the open frame come to its end, where the check of a frame that streams is."""
        while self._current >= 0 and self._current == len(self._headers) - 1 and self._step():
            pass


class _Sink:
    """Bytes in, frames out; one frame is held back until it is known whether it is the last."""

    def __init__(self, stream: BinaryIO, options: pipeline.Options) -> None:
        self._stream, self._options = stream, options
        self._held, self._frames, self.length = bytearray(), 0, 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        size = self._options.frame_size
        for start in range(0, len(view), size):
            self._held += view[start : start + size]
            if len(self._held) > size:
                self._flush(size, last=False)
        self.length += len(view)
        return len(view)

    def finish(self) -> None:
        self._flush(len(self._held), last=True)

    def _flush(self, size: int, last: bool) -> None:
        block = bytes(self._held[:size])
        coded = pipeline.choose_frame(block, self._options, lambda done: None)
        total = self.length if last else 0
        pipeline.write_coded(self._stream, coded, block, last, self._frames, total)
        del self._held[:size]
        self._frames += 1


def _holds_frames(file: PathLike) -> bool:
    """Whether there is something to append to. Raises FormatError where that is no .tokp file."""
    try:
        with builtins.open(file, "rb") as stream:
            start = stream.read(len(SYNC))
    except FileNotFoundError:
        return False
    if start and start != SYNC:
        raise FormatError(f"{os.fsdecode(file)}: not a .tokp file, so nothing is appended to it: check its name")
    return bool(start)


class TokpressFile(io.BufferedIOBase):
    """A .tokp file as a binary file: mode "rb", "wb" (overwrite), "xb" (a new file only) or "ab" (append).

    `file`: a path, or a binary file object, which stays open on close. Reading: `model` and `models` are looked in
    beside the shipped ones. Writing: they are chosen from, and without any the shipped ones are; `lanes`,
    `frame_size` and `kernel` as in `pipeline.Options`.

    Raises FormatError (ChecksumError), ModelMismatchError when reading; FormatError when appending to a file that is
    none of ours; ModelError when a model cannot be opened.
    """

    def __init__(
        self,
        file: PathLike | BinaryIO,
        mode: str = "rb",
        *,
        model: Model | str | os.PathLike | None = None,
        models: Iterable[Model | str | os.PathLike] | None = None,
        lanes: int | None = None,
        frame_size: int = pipeline.FRAME_SIZE,
        kernel: str = "auto",
    ) -> None:
        self._reader: io.BufferedReader | None = None
        self._sink: _Sink | None = None
        self._stream: BinaryIO | None = None
        if mode not in ("r", "rb", "w", "wb", "x", "xb", "a", "ab"):
            raise ValueError(f"mode must be rb, wb, xb or ab, not {mode!r}")
        if not 1 <= frame_size <= MAX_SOURCE:
            raise ValueError(f"frame_size must be 1 … {MAX_SOURCE:,} bytes, not {frame_size:,}")
        given = [*([model] if model is not None else []), *(models or [])]
        loaded = [store.load(each) for each in given]
        self._owned = isinstance(file, str | bytes | os.PathLike)
        self.appends = mode[0] == "a" and isinstance(file, str | bytes | os.PathLike) and _holds_frames(file)
        if isinstance(file, str | bytes | os.PathLike):
            self._stream = cast(BinaryIO, builtins.open(file, mode[0] + "b"))  # noqa: SIM115 (close() closes it)
        else:
            self._stream = file
        if mode[0] == "r":
            self._reader = io.BufferedReader(_Frames(self._stream, loaded, kernel))
        else:
            self._sink = _Sink(self._stream, pipeline.Options(loaded if given else None, lanes, frame_size, kernel))

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

    def read(self, size: int | None = -1) -> bytes:
        return self._reading().read(-1 if size is None else size)

    def read1(self, size: int = -1) -> bytes:
        return self._reading().read1(size)

    def readinto(self, buffer: Any) -> int:
        return self._reading().readinto(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        return self._reading().readline(-1 if size is None else size)

    def peek(self, size: int = 0) -> bytes:
        """Some bytes from here on, without going on; none only at the end."""
        return self._reading().peek(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._reading().seek(offset, whence)

    def tell(self) -> int:
        self._open()
        return self._sink.length if self._sink else self._reading().tell()

    # --- writing ---------------------------------------------------------------------------------

    def write(self, data: Any) -> int:
        self._open()
        if self._sink is None:
            raise io.UnsupportedOperation("this file is open for reading")
        return self._sink.write(data)

    def close(self) -> None:
        """Write the last frame, if this is open for writing. A second close does nothing."""
        sink, self._sink = self._sink, None
        try:
            if sink:
                sink.finish()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close without the last frame: what was written cannot be taken for complete."""
        stream, self._stream, self._sink, self._reader = self._stream, None, None, None
        if stream and self._owned:
            stream.close()

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        self.abandon() if kind else self.close()

    def __del__(self) -> None:
        if getattr(self, "_sink", None):
            warnings.warn(
                "a tokpress file was not closed, it lacks its end", ResourceWarning, source=self, stacklevel=2
            )
        if hasattr(self, "_stream"):
            self.abandon()


class _Text(io.TextIOWrapper):
    """Text over a TokpressFile, which leaves a file incomplete under the same circumstances."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
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


def open(
    file: PathLike | BinaryIO,
    mode: str = "rb",
    *,
    model: Model | str | os.PathLike | None = None,
    models: Iterable[Model | str | os.PathLike] | None = None,
    lanes: int | None = None,
    frame_size: int = pipeline.FRAME_SIZE,
    kernel: str = "auto",
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> TokpressFile | io.TextIOWrapper:
    """Open a .tokp file: "rb" (the default), "wb", "xb", "ab" as a TokpressFile, "rt", "wt", "xt", "at" as text over it.

    `encoding` (UTF-8 where none is given), `errors` and `newline` are those of the built-in `open`; the rest is as in
    `TokpressFile`.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = folder.name + "/log.tokp"
    >>> for line in ["first\\n", "second\\n"]:
    ...     with open(path, "at", model="adaptive") as log:
    ...         _ = log.write(line)
    >>> with open(path) as log:
    ...     log.seek(6)
    ...     log.read()
    6
    b'second\\n'
    >>> folder.cleanup()
    """
    text = "t" in mode
    if text and "b" in mode:
        raise ValueError(f"mode must be text or binary, not both: {mode!r}")
    if not text and (encoding, errors, newline) != (None, None, None):
        raise ValueError("encoding, errors and newline belong to text modes: rt, wt, xt, at")
    binary = TokpressFile(
        file, mode.replace("t", ""), model=model, models=models, lanes=lanes, frame_size=frame_size, kernel=kernel
    )
    if not text:
        return binary
    if binary.writable() and not binary.appends and codecs.lookup(encoding or "utf-8").name in ("utf-16", "utf-32"):
        binary.write("".encode(encoding or ""))  # TextIOWrapper leaves this mark out where it cannot seek
    return _Text(cast(BinaryIO, binary), encoding or "utf-8", errors, newline)
