"""The source of a stream of frames, as a raw file. A frame is decoded when one of its bytes is read.

A frame is verified before its last piece is returned. A frame that does not belong to the one before it is refused, wherever reading
begins. A member that is read from beginning to end is compared with its digest too. A seek reads the headers up to its place, one read
each; with an index, none: the header of a frame is compared with the index when the frame is decoded.
"""

import io
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..container.digest import DigestInAnyOrder
from ..container.frames import MAX_NUMBER, FrameHeader, Kind, Payload, read_header
from ..container.index import Confirmed, header_at, read_index
from ..container.member import Member, check_end
from ..container.varint import ADVICE, can_seek, need
from ..errors import FormatError
from . import restore


class Frames(io.RawIOBase):
    """The source of a stream of frames, read only. index: a stream of the index of these frames. Raises FormatError where that is
    damaged or of another file, ValueError where the frames are in a stream that cannot seek."""

    def __init__(self, stream: BinaryIO, given: restore.Decoding, index: BinaryIO | None = None) -> None:
        need(stream, "read")
        self._stream, self._given = stream, given
        self._can_seek = can_seek(stream)
        self._base = stream.tell() if self._can_seek else 0  # the frames may begin inside a file
        self._end = stream.seek(0, io.SEEK_END) if self._can_seek else None
        if self._can_seek:
            stream.seek(self._base)  # reading from the start needs no jump
        self._index: Confirmed | None = None
        if index is not None:
            if self._end is None:
                raise ValueError("an index needs a file that can seek")
            self._index = Confirmed(read_index(index, self._end - self._base))
        self._headers: list[FrameHeader] = []  # of the frames met so far
        self._starts: list[int] = []  # of their sources
        self._next = 0  # position of the next header, from the base
        self._member, self._complete = Member(), False
        self._position = 0
        self._current = -1  # number of the open frame
        self._payload: Payload | None = None  # of the open frame
        self._pieces: Iterator[bytes] = iter(())  # of the open frame, those to come
        self._piece, self._piece_start = b"", 0  # the last piece, and its position
        self._digest = DigestInAnyOrder()

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
        if self._index and offset >= self._met:  # the length of the source is told
            self._index.confirm(self._stream, self._base, len(self._index.headers) - 1)
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
        """Source bytes of the frames whose headers have been read."""
        return self._starts[-1] + self._headers[-1].source_length if self._starts else 0

    def _meet(self) -> bool:
        """Read one more header; False at the end of the file. The payload before it is read or skipped."""
        if self._complete:
            return False
        header = self._next_header()
        if header is None:
            check_end(len(self._headers), self._member)
            self._complete = True
            return False
        after = self._next + header.frame_bytes
        if self._end is not None and self._base + after > self._end:
            raise FormatError(f"{header.where}: truncated inside its payload: get a complete copy of the file")
        problem = self._member.follow(header)
        if not problem and self._met + header.source_length > MAX_NUMBER:
            problem = "the file restores 2^63 bytes or more, which cannot be"
        if problem:
            raise FormatError(f"{header.where}: {problem}: {ADVICE}")
        self._starts.append(self._met)
        self._headers.append(header)
        self._next = after
        if header.kind == Kind.WEIGHTS:
            self._go_to_payload(len(self._headers) - 1)
            self._given = restore.with_model(self._given, header, Payload(self._stream, header).read())
            self._current, self._payload, self._pieces = -1, None, iter(())
        elif not self._can_seek or not header.source_length:  # an empty frame is never read: verify it here
            self._open(len(self._headers) - 1)
        return True

    def _next_header(self) -> FrameHeader | None:
        number = len(self._headers)
        if self._index:
            return self._index.headers[number] if number < len(self._index.headers) else None
        if self._can_seek:
            return header_at(self._stream, self._base + self._next, self._next, number + 1)
        for _ in self._payload or ():
            pass
        return read_header(self._stream, self._next, number + 1)

    def _go_to_payload(self, number: int) -> None:
        header = self._headers[number]
        if self._index:
            self._index.confirm(self._stream, self._base, number)
        elif self._can_seek and self._stream.tell() != (at := self._base + header.offset + len(header.pack())):
            self._stream.seek(at)  # a jump may be a request, which not all servers answer

    def _open(self, number: int) -> None:
        header = self._headers[number]
        self._go_to_payload(number)
        self._current, self._piece, self._piece_start = number, b"", self._starts[number]
        self._payload = Payload(self._stream, header)
        self._pieces = restore.restore_frame(header, self._payload, self._given)

    def _reach(self) -> bool:
        """Decode up to the piece that holds the position; False at the end of the source."""
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
        """Decode the next piece of the open frame; False at its end. A frame that failed is decoded anew at the next read."""
        try:
            piece = next(self._pieces, None)
            if piece is not None:
                number, header = self._current, self._headers[self._current]
                frame_end = self._starts[number] + header.source_length
                member_start = self._starts[number - header.sequence]
                self._digest.take(header, member_start, self._piece_start + len(self._piece), piece, frame_end)
        except BaseException:
            self._current = -1
            raise
        if piece is None:
            return False
        self._piece_start += len(self._piece)
        self._piece = piece
        return True

    def _finish(self) -> None:
        """Decode the open frame to its end, where a frame that streams is verified."""
        while self._current >= 0 and self._current == len(self._headers) - 1 and self._step():
            pass
