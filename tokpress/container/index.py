"""The index of a .tokp file: the headers of its frames, in a file of its own (docs/format.md, "Index files").

A reader with an index finds a frame without reading the headers before it. Each header holds a CRC of the header before it, so one
header that is compared with the file verifies all earlier headers of its member.

>>> import io
>>> from tokpress.container.frames import FrameHeader, Kind, write_frame
>>> file = io.BytesIO()
>>> _ = write_frame(file, FrameHeader(kind=Kind.RAW, source_length=5, payload_length=5), b"hello")
>>> index = pack_index(iter_headers(file))
>>> [(header.offset, header.source_length) for header in unpack_index(index)]
[(0, 5)]
"""

import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from ..errors import FormatError
from .frames import FrameHeader, read_header
from .member import Member, check_end
from .varint import ADVICE, read_up_to

MAGIC = b"tokpress index 1\n"
CRC_BYTES = 4
#: no header is longer
MAX_HEADER = 96
REBUILD = "build the index again with `tokpress index -f`"


def header_at(stream: BinaryIO, position: int, offset: int, number: int) -> FrameHeader | None:
    """The header at a position of a seekable stream; None at the end. A jump to it takes one read: that of a remote file is a request.
    A stream that stands there already need not jump, which some streams cannot. offset, number: for messages."""
    if stream.tell() == position:
        return read_header(stream, offset, number)
    stream.seek(position)
    try:
        return read_header(io.BytesIO(read_up_to(stream, MAX_HEADER)), offset, number)
    except FormatError:  # the message may depend on the bytes after it
        stream.seek(position)
        return read_header(stream, offset, number)


def iter_headers(stream: BinaryIO) -> Iterator[FrameHeader]:
    """The headers of a seekable stream, from its beginning. Raises FormatError where the frames are incomplete or out of order.

    Payloads are not read."""
    end, offset, number, member = stream.seek(0, io.SEEK_END), 0, 1, Member()
    while header := header_at(stream, offset, offset, number):
        offset, number = offset + header.frame_bytes, number + 1
        if offset > end:
            raise FormatError(f"{header.where}: truncated inside its payload: get a complete copy of the file")
        if problem := member.follow(header):
            raise FormatError(f"{header.where}: {problem}: {ADVICE}")
        yield header
    check_end(number - 1, member)


def pack_index(headers: Iterable[FrameHeader]) -> bytes:
    """The bytes of the index of a file with these headers."""
    data = MAGIC + b"".join(header.pack() for header in headers)
    return data + zlib.crc32(data).to_bytes(CRC_BYTES, "little")


def unpack_index(data: bytes) -> list[FrameHeader]:
    """The headers of an index, with their numbers and offsets. Raises FormatError where it is damaged or impossible."""
    body, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if not data.startswith(MAGIC):
        raise FormatError(f"not an index of tokpress {MAGIC.split()[-1].decode()}: {REBUILD}")
    if zlib.crc32(body).to_bytes(CRC_BYTES, "little") != crc:
        raise FormatError(f"the index is damaged: {REBUILD}")
    packed, offset, member = io.BytesIO(body[len(MAGIC) :]), 0, Member()
    headers: list[FrameHeader] = []
    try:
        while header := read_header(packed, offset, len(headers) + 1):
            if problem := member.follow(header):
                raise FormatError(f"{header.where}: {problem}")
            headers.append(replace(header, offset=offset))
            offset += header.frame_bytes
        check_end(len(headers), member)
    except FormatError as error:
        raise FormatError(f"the index is damaged: {error}: {REBUILD}") from None
    return headers


def read_index(stream: BinaryIO, file_bytes: int) -> list[FrameHeader]:
    """The headers of the index of a file of `file_bytes` bytes. No index is longer than its file, so memory is bounded.

    Raises FormatError where it is damaged, or the index of another file."""
    headers = unpack_index(read_up_to(stream, len(MAGIC) + file_bytes + CRC_BYTES + 1))
    if (indexed := headers[-1].offset + headers[-1].frame_bytes) != file_bytes:
        raise FormatError(f"the index is of a file of {indexed:,} bytes, and this one has {file_bytes:,}: {REBUILD}")
    return headers


class Confirmed:
    """The headers of an index, compared with those of their file before they are trusted."""

    def __init__(self, headers: list[FrameHeader]) -> None:
        self.headers = headers
        #: last frames of members, not compared yet
        self._ends = deque(number for number, header in enumerate(headers) if header.last)

    def confirm(self, stream: BinaryIO, base: int, number: int) -> None:
        """Compare header `number`, and the last header of each member before it, with the file whose frames begin at `base`. Then all
        numbers of the index up to that header are those of the file, because links join the headers of a member.

        Raises FormatError where one differs. The stream stands behind header `number` then."""
        while self._ends and self._ends[0] < number:
            self._compare(stream, base, self._ends[0])
            self._ends.popleft()
        self._compare(stream, base, number)

    def _compare(self, stream: BinaryIO, base: int, number: int) -> None:
        header = self.headers[number]
        packed = header.pack()
        stream.seek(base + header.offset)
        if read_up_to(stream, len(packed)) != packed:
            raise FormatError(f"{header.where}: the index is of another file: {REBUILD}")
