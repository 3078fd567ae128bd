"""The intact frames and the holes of a damaged .tokp file (docs/format.md, "Around damage")."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from ..errors import FormatError
from .frames import SYNC, Damaged, FrameHeader, Kind, Payload, read_header
from .member import Member
from .short import MARKS
from .varint import PIECE, read_up_to


def iter_frames_keep_going(stream: BinaryIO) -> Iterator[tuple[FrameHeader, Payload] | Damaged]:
    """Every intact frame, verified, and a Damaged for every hole. Needs seeking.

    After damage, the search continues at the next sync that begins an intact frame. Time is linear also for a hostile file: a damaged
    payload before the frame that is due is skipped; all other payloads that are examined may add up to 4 times the file.
    """
    position, end = stream.tell(), stream.seek(0, io.SEEK_END)
    budget, number, hole, member = 4 * (end - position), 1, None, Member()
    while position < end:
        stream.seek(position)
        resume = position + 1
        try:
            header = read_header(stream, position, number)
            begin = stream.tell()
            if header is None or (after := begin + header.payload_length) > end:
                raise FormatError(f"frame {number} (at byte {position:,}): truncated, or a damaged length")
            if header.kind == Kind.SHORT and not _ends_well(stream, position, after, end):
                raise FormatError(f"{header.where}: damaged, no frame follows it")
            if _may_follow(stream, header, after, end):
                resume = after
            elif (budget := budget - header.payload_length) < 0:
                raise FormatError(f"{header.where}: too many false frames came before to examine this one")
            stream.seek(begin)
            for _ in Payload(stream, header):
                pass
        except FormatError as error:
            hole = hole or (position, str(error))
            position = _find_sync(stream, resume, end)
            continue
        in_order = header.sequence == member.due
        problem = member.follow(header)
        if hole:
            yield Damaged(hole[0], position - hole[0], hole[1] + (f"; {problem}" if problem else ""))
            number, hole = number + 1, None
        elif problem:
            yield Damaged(position, 0, f"{header.where}: {problem}", unverified=in_order)
        stream.seek(begin)
        yield replace(header, number=number), Payload(stream, header)
        position, number = after, number + 1
    if hole or member.due or member.holds_model or number == 1:
        at, reason = hole or (end, "truncated: the file ends before its last frame")
        yield Damaged(at, end - at, reason)


def _ends_well(stream: BinaryIO, begin: int, after: int, end: int) -> bool:
    """Whether a frame, or the end of the file, may follow a short frame, and no sync is within it. The mark of a short frame is a single
    byte, which may be anything, and only its source has a check."""
    if _find_sync(stream, begin + 1, min(after + len(SYNC) - 1, end)) < after:
        return False
    stream.seek(after)
    start = read_up_to(stream, len(SYNC))
    return after == end or start == SYNC or start[:1] in MARKS


def _may_follow(stream: BinaryIO, header: FrameHeader, after: int, end: int) -> bool:
    """Whether the frame that is due, or the end of the file, comes after a payload of this length. The length is believed then although
    the payload is damaged: bytes in it that look like frames are part of the source."""
    if after == end:
        return header.last
    stream.seek(after)
    if read_up_to(stream, len(SYNC)) != SYNC:
        return False
    stream.seek(after)
    try:
        following = read_header(stream)
    except FormatError:
        return True
    return following is not None and following.sequence == (0 if header.last else header.sequence + 1)


def _find_sync(stream: BinaryIO, start: int, end: int) -> int:
    """Position of the next sync, or `end`. Windows grow from 64 bytes, so a search reads about as much as it skips."""
    window = 64
    while start < end:
        stream.seek(start)
        data = read_up_to(stream, min(window, end - start))
        if (place := data.find(SYNC)) >= 0:
            return start + place
        if len(data) < window:
            break
        start, window = start + window - len(SYNC) + 1, min(2 * window, PIECE)
    return end
