"""Members of a file: the frames of one source, whose order is checked."""

from collections.abc import Iterator
from typing import BinaryIO

from ..errors import FormatError
from .frames import MAX_NUMBER, FrameHeader, Kind, Payload, read_header
from .varint import ADVICE


def iter_frames(stream: BinaryIO) -> Iterator[tuple[FrameHeader, Payload]]:
    """Every frame in order, up to the first error: FormatError, ChecksumError. Needs no seeking.

    The rest of a payload that the caller does not read is read and verified here. Offsets are relative to the first frame.
    """
    offset, number, member = 0, 1, Member()
    while header := read_header(stream, offset, number):
        if problem := member.follow(header):
            raise FormatError(f"{header.where}: {problem}: {ADVICE}")
        payload = Payload(stream, header)
        yield header, payload
        for _ in payload:
            pass
        offset, number = offset + header.frame_bytes, number + 1
    check_end(number - 1, member)


class Member:
    """Checks the order of the frames of one source: sequence numbers 0, 1, 2, …, links, and the total length."""

    due = restored = 0  # sequence number of the next frame; source bytes so far
    complete = True  # whether no frame of this member is missing so far
    holds_model = False  # whether the last frame was a model, which a frame must follow
    _link: bytes | None = None  # of the next frame; None where the frame before it is missing

    def follow(self, header: FrameHeader) -> str | None:
        """The problem with this frame as the next one, or None. The frames after it are expected either way."""
        got, due, problem = header.sequence, self.due, None
        if got > due:
            problem = f"frames {due} to {got - 1} of this member (counted from 0) are missing"
        elif got < due:
            problem = f"frame {got} of a member follows frame {due - 1} of one: frames are missing, or were moved"
        elif got and self._link not in (None, header.link):
            problem = f"frame {got} of a member does not belong to the frame before it: frames were exchanged"
        self.holds_model = header.kind == Kind.WEIGHTS
        self.complete = not got or (self.complete and not problem)
        self.restored = header.source_length + (self.restored if got else 0)
        self.due, self._link = (0, None) if header.last else (got + 1, header.next_link())
        if self.restored > MAX_NUMBER:
            problem = "its member restores 2^63 bytes or more, which cannot be"
        if header.total_length is not None and self.complete and header.total_length != self.restored:
            problem = f"its member restores {self.restored:,} bytes instead of {header.total_length:,}"
        return problem


def check_end(frames: int, member: Member) -> None:
    """Raises FormatError where a file may not end after so many frames."""
    if not frames:
        raise FormatError("not a .tokp file: it is empty, and even an empty source takes a frame: check the file name")
    if member.due or member.holds_model:
        raise FormatError(f"truncated after frame {frames}: get a complete copy of the file")
