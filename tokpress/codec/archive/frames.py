"""The frames of an archive: their positions, and the source of the frame that was decoded last.

All headers are read first, so missing frames and frames of other files are found before anything is decoded. A frame restores at most
64 MiB; it is decoded and verified before a byte of it is returned.
"""

import io
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ...container.digest import DigestInAnyOrder
from ...container.frames import MAX_SOURCE, Kind, Payload, read_header
from ...container.member import Member, check_end
from ...container.varint import ADVICE
from ...errors import FormatError, TokpressError
from ...models.model import Model
from .. import restore


class FrameIndex:
    """The frames of a seekable file, by their position in the source. damage: the error that ended reading the headers, or None.

    report: called with the bytes of a frame that are decoded so far."""

    def __init__(
        self, stream: BinaryIO, models: list[Model], kernel: str, report: Callable[[int], None] = lambda done: None
    ) -> None:
        self._stream, self._given, self._report = stream, restore.Decoding(models, kernel), report
        self._offsets, self._starts = array("Q"), array("Q")  # of frames, in the file and in the source
        self._member_ends = array("Q")  # in the source
        self.end = 0
        self.damage: FormatError | None = None
        self._current, self._source = -1, b""
        self._error: TokpressError | None = None  # of the current frame
        self._digest = DigestInAnyOrder()
        self.file_size = stream.seek(0, io.SEEK_END)
        try:
            self._walk()
        except FormatError as error:
            self.damage = error

    def _walk(self) -> None:
        offset, member = 0, Member()
        while True:
            self._stream.seek(offset)
            header = read_header(self._stream, offset, len(self._offsets) + 1)
            if header is None:
                break
            offset, at = self._stream.tell() + header.payload_length, offset
            if offset > self.file_size:
                raise FormatError(f"{header.where}: truncated inside its payload: get a complete copy of the file")
            if problem := member.follow(header):
                raise FormatError(f"{header.where}: {problem}: {ADVICE}")
            if header.source_length > MAX_SOURCE:
                raise FormatError(f"{header.where}: restores more than {MAX_SOURCE:,} bytes, so the file is no archive")
            if header.kind == Kind.WEIGHTS:
                self._given = restore.with_model(self._given, header, Payload(self._stream, header).read())
            elif not header.source_length:  # an empty frame is never read: verify it here
                Payload(self._stream, header)
            self._offsets.append(at)
            self._starts.append(self.end)
            self.end += header.source_length
            if header.last:
                self._member_ends.append(self.end)
        check_end(len(self._offsets), member)

    def begins_member(self, position: int) -> bool:
        """Whether a member of the file begins at this position of the source."""
        at = bisect_left(self._member_ends, position)
        return not position or (at < len(self._member_ends) and self._member_ends[at] == position)

    def member_end(self, position: int) -> int | None:
        """End of the member that contains this position; None if it lies after the damage."""
        at = bisect_right(self._member_ends, position)
        return self._member_ends[at] if at < len(self._member_ends) else None

    def length_from(self, position: int) -> int:
        """Bytes of the source from here to the end of the frame that holds this position."""
        at = bisect_right(self._starts, position)
        return (self._starts[at] if at < len(self._starts) else self.end) - position

    def is_cut(self, position: int) -> bool:
        """Whether a frame begins here, or the source ends."""
        at = bisect_left(self._starts, position)
        return position == self.end or (at < len(self._starts) and self._starts[at] == position)

    def is_in_one_frame(self, start: int, end: int) -> bool:
        """Whether one frame holds all of a range. Of a range beyond damage nothing is known; it cannot be read either."""
        return end > self.end or start == end or bisect_right(self._starts, start) == bisect_left(self._starts, end)

    def read(self, start: int, size: int) -> Iterator[bytes]:
        """A range of the source, a piece of each frame. Raises TokpressError; for one frame always the same."""
        if start + size > self.end:
            raise self.damage or FormatError("the archive ends before what its index promises: get a complete copy")
        while size:
            number = bisect_right(self._starts, start) - 1  # the last to begin there: never an empty one
            begin = start - self._starts[number]
            piece = self._decoded(number)[begin : begin + size]
            start, size = start + len(piece), size - len(piece)
            yield piece

    def _decoded(self, number: int) -> bytes:
        if number != self._current:
            self._current, self._source, self._error = number, b"", None
            try:
                self._source = self._decode(number)
            except TokpressError as error:  # many items may need this frame
                self._error = error
            except BaseException:
                self._current = -1
                raise
        if self._error:
            raise self._error
        return self._source

    def _decode(self, number: int) -> bytes:
        offset = self._offsets[number]
        self._stream.seek(offset)
        header = read_header(self._stream, offset, number + 1)
        if header is None:  # the file has become shorter meanwhile
            raise FormatError(f"frame {number + 1} (at byte {offset:,}): truncated: get a complete copy of the file")
        payload = Payload(self._stream, header)
        source = b"".join(restore.restore_frame(header, payload, self._given, self._report))
        after = self._starts[number + 1] if number + 1 < len(self._starts) else self.end
        if len(source) != after - self._starts[number]:
            raise FormatError(f"{header.where}: changed while the archive was read: try again")
        self._digest.take(header, self._starts[number - header.sequence], self._starts[number], source, after)
        return source
