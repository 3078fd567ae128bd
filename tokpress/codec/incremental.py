"""Compression and decompression of data that arrives piece by piece, in the shape of Python's `compression.zstd` (PEP 784).

A caller that has no file object passes bytes in and takes bytes out. What `compression.zstd` calls a frame is a member here: the
frames of one source. What it calls a block is a frame of the member.

>>> compressor = TokpressCompressor(model="context-mixing")
>>> packed = compressor.compress(b"first, ") + compressor.compress(b"second") + compressor.flush()
>>> decompressor = TokpressDecompressor()
>>> decompressor.decompress(packed[:9]), decompressor.eof, decompressor.needs_input
(b'', False, True)
>>> decompressor.decompress(packed[9:] + b"what follows", max_length=5), decompressor.needs_input
(b'first', False)
>>> decompressor.decompress(b""), decompressor.eof, decompressor.unused_data
(b', second', True, b'what follows')
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

from ..arguments import whole
from ..container.digest import DigestInOrder
from ..container.frames import FrameHeader, Kind, Payload, read_header, restore_plain
from ..container.member import Member
from ..container.varint import ADVICE, as_bytes
from ..errors import FormatError, TokpressError
from ..models import store
from ..models.store import ModelName
from . import context as contexts
from .context import Context
from .efforts import Effort
from .options import FRAME_SIZE
from .restore import HOLD, Decoding, restore_frame, with_model
from .sink import FrameSink, options_of

BytesLike = bytes | bytearray | memoryview
#: no header is longer
HEADER_BYTES = 128


class TokpressCompressor:
    """Compresses a source that arrives piece by piece, as `compression.zstd.ZstdCompressor` does.

    A compressor holds one frame of the source. Its results, joined, are a .tokp file. After `FLUSH_FRAME` it begins another member,
    so it serves for several sources. Parameters: as in `TokpressFile`. One thread at a time may use a compressor.

    Raises ModelError where a model cannot be opened, TokpressError where it is lossy.
    """

    #: modes of `compress`: keep what does not fill a frame; write it as a frame, so that a reader has all bytes so far; end the member
    CONTINUE: Final = 0
    FLUSH_BLOCK: Final = 1
    FLUSH_FRAME: Final = 2

    def __init__(
        self,
        *,
        model: ModelName | None = None,
        models: Iterable[ModelName] | None = None,
        lanes: int | None = None,
        effort: Effort = "default",
        frame_size: int = FRAME_SIZE,
        kernel: str = "auto",
        context: bytes | Context | None = None,
        embed: bool = False,
    ) -> None:
        self._out = io.BytesIO()
        options = options_of(store.load_all(model, models), lanes, frame_size, kernel, effort, context, embed)
        self._sink, self._last_mode = FrameSink(self._out, options), self.FLUSH_FRAME

    @property
    def last_mode(self) -> int:
        """The mode of the last call. `FLUSH_FRAME`: nothing of a source is held."""
        return self._last_mode

    def compress(self, data: BytesLike, mode: int = CONTINUE) -> bytes:
        """Take the next bytes of the source. Returns the bytes of the file that are known now, perhaps none."""
        if mode not in (self.CONTINUE, self.FLUSH_BLOCK, self.FLUSH_FRAME):
            raise ValueError(f"mode must be CONTINUE, FLUSH_BLOCK or FLUSH_FRAME of TokpressCompressor, not {mode!r}")
        self._sink.write(data)
        if mode == self.FLUSH_BLOCK:
            self._sink.flush()
        elif mode == self.FLUSH_FRAME:
            self._sink.finish()
        self._last_mode = mode
        done = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return done

    def flush(self, mode: int = FLUSH_FRAME) -> bytes:
        """Write what is held. `FLUSH_FRAME`, the default, ends the member: one without a source takes a frame too. `FLUSH_BLOCK` costs
        bytes: a model starts again, and a member that ends after it takes an empty frame."""
        if mode not in (self.FLUSH_BLOCK, self.FLUSH_FRAME):
            raise ValueError(f"mode must be FLUSH_BLOCK or FLUSH_FRAME of TokpressCompressor, not {mode!r}")
        return self.compress(b"", mode)


class TokpressDecompressor:
    """Restores one member of a .tokp file that arrives piece by piece, as `compression.zstd.ZstdDecompressor` does.

    The last frame of a member has a mark, so `eof` is true as soon as its last byte was returned. A file may hold several members: a
    new decompressor restores what `unused_data` holds. Where the input ends and `eof` is false, the file is cut off.

    Parameters: as in `TokpressFile`. Memory: the input that was not used yet, and the source of a frame. A frame is verified before
    its first byte is returned (one of more than 64 MiB: before its last MiB), a member before its last frame is. One thread at a time
    may use a decompressor.
    """

    def __init__(
        self,
        *,
        model: ModelName | None = None,
        models: Iterable[ModelName] | None = None,
        kernel: str = "auto",
        context: bytes | Context | None = None,
    ) -> None:
        self._given = Decoding(store.load_all(model, models), kernel, contexts.of(context))
        self._input = _Input()
        self._member, self._digest = Member(), DigestInOrder()
        self._header: FrameHeader | None = None  # of the open frame
        self._pieces: Iterator[bytes] | None = None  # its source, once its decoding has begun
        self._left = 0  # source bytes of the open frame that were not decoded
        self._offset, self._number = 0, 1  # of the next frame
        self._ready = memoryview(b"")  # decoded, not returned
        self._ended, self._needs_input = False, True
        self._error: TokpressError | None = None

    @property
    def eof(self) -> bool:
        """Whether the member has ended, and all of its source was returned."""
        return self._ended and not self._ready

    @property
    def needs_input(self) -> bool:
        """Whether `decompress` returns nothing without more input. False at the end of the member."""
        return self._needs_input and not self.eof

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the member; empty before `eof`."""
        return self._input.rest() if self.eof else b""

    def decompress(self, data: BytesLike, max_length: int = -1) -> bytes:
        """Take the next bytes of the file. Returns the source that they restore, at most `max_length` bytes unless that is negative.

        A caller goes on with `decompress(b"", max_length)` while `needs_input` is false, and stops at `eof`.

        Raises EOFError after the end of the member, FormatError (ChecksumError) where the file is damaged, ModelMismatchError where a
        model or the context is missing. After an error, each call raises it again."""
        if self.eof:
            raise EOFError("the member has ended: a new decompressor restores what unused_data holds")
        if self._error:
            raise self._error
        max_length = whole("max_length", max_length)
        self._input.add(as_bytes(data))
        self._error = TokpressError("an earlier call was interrupted: begin again with a new decompressor")
        try:
            source = self._take(max_length)
        except TokpressError as error:
            self._error = error
            raise
        self._error = None
        return source

    def _take(self, max_length: int) -> bytes:
        taken = bytearray()
        self._needs_input = False
        while max_length < 0 or len(taken) < max_length:
            if not self._ready and not self._advance():
                break
            piece = self._ready if max_length < 0 else self._ready[: max_length - len(taken)]
            taken += piece
            self._ready = self._ready[len(piece) :]
        return bytes(taken)

    def _advance(self) -> bool:
        """Decode the next piece. False where the member has ended, or needs more input."""
        while not self._ready and not self._ended:
            if (self._header is None and not self._open()) or not self._decode():
                self._needs_input = True
                return False
        return bool(self._ready)

    def _open(self) -> bool:
        """Read the next header; False where part of it is missing."""
        if (header := self._input.header(self._offset, self._number)) is None:
            return False
        if problem := self._member.follow(header):
            raise FormatError(f"{header.where}: {problem}: {ADVICE}")
        self._digest.begin(header)
        self._header, self._pieces, self._left = header, None, header.source_length
        self._offset += header.frame_bytes
        self._number += 1
        return True

    def _decode(self) -> bool:
        """Decode a piece of the open frame, and close it at its end; False where part of its payload is missing."""
        header = cast(FrameHeader, self._header)
        if self._pieces is None:
            is_weights = header.kind == Kind.WEIGHTS
            if (header.kind.is_coded or is_weights) and self._input.size < header.payload_length:
                return False
            if is_weights:
                payload = Payload(cast(BinaryIO, self._input), header).read()
                self._given, self._header = with_model(self._given, header, payload), None
                return True
            self._pieces = self._restored(header)
        piece = next(self._pieces)
        if not piece and self._left:
            return False
        self._digest.take(header, piece)
        self._left -= len(piece)
        if not self._left:
            self._digest.check(header)
            self._header, self._ended = None, header.last
        self._ready = memoryview(piece)
        return True

    def _restored(self, header: FrameHeader) -> Iterator[bytes]:
        """The source of a frame in pieces; an empty piece where input is missing."""
        payload = Payload(cast(BinaryIO, self._input), header, waits=True)
        if header.kind.is_coded:
            yield from restore_frame(header, payload, self._given)
        elif header.source_length > HOLD:
            yield from restore_plain(header, payload)
        else:
            source = bytearray()
            for piece in restore_plain(header, payload):
                source += piece
                if not piece and len(source) < header.source_length:
                    yield b""
            yield bytes(source)


class _Input:
    """Bytes that were given and not used yet, as a non-blocking stream. ends: nothing is added after them."""

    def __init__(self, data: BytesLike = b"", ends: bool = False) -> None:
        self._bytes, self._ends = bytearray(data), ends

    def add(self, data: BytesLike) -> None:
        self._bytes += data

    @property
    def size(self) -> int:
        return len(self._bytes)

    def rest(self) -> bytes:
        return bytes(self._bytes)

    def read(self, count: int) -> bytes | None:
        taken = bytes(self._bytes[:count])
        del self._bytes[:count]
        return taken if taken or not count or self._ends else None

    def header(self, offset: int, number: int) -> FrameHeader | None:
        """Take the next header; None where part of it is missing."""
        start = bytes(self._bytes[:HEADER_BYTES])
        try:
            header = read_header(cast(BinaryIO, _Input(start, len(start) == HEADER_BYTES)), offset, number)
        except BlockingIOError:
            return None
        if header:
            del self._bytes[: len(header.pack())]
        return header
