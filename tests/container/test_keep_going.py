"""What is intact around damage is found."""

import contextlib
import io
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokpress.container.frames import Damaged, Kind
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.errors import ChecksumError

from .frames import (
    FILES,
    SOURCES,
    THREE,
    member,
    recovered,
    restored,
)


def assert_recovered(file: bytes, *expected: bytes | None) -> list[Damaged]:
    """`None` stands for a hole."""
    items = recovered(file)
    assert [None if isinstance(item, Damaged) else item for item in items] == list(expected)
    return [item for item in items if isinstance(item, Damaged)]


def test_every_changed_byte_costs_one_frame_only():
    file, (first, second, third) = FILES[0], SOURCES
    begin, end = len(THREE[0]), len(THREE[0] + THREE[1])
    for at in range(begin, end):
        (hole,) = assert_recovered(file[:at] + bytes([file[at] ^ 255]) + file[at + 1 :], first, None, third)
        assert (hole.offset, hole.length) == (begin, end - begin)
        assert "frames 1 to 1 of this member (counted from 0) are missing" in hole.reason
    for at in range(begin):
        assert_recovered(file[:at] + bytes([file[at] ^ 255]) + file[at + 1 :], None, second, third)
    for at in range(end, len(file)):
        assert_recovered(file[:at] + bytes([file[at] ^ 255]) + file[at + 1 :], first, second, None)


def test_bytes_lost_or_inserted_cost_one_frame_only():
    first, _, third = SOURCES
    for at in range(len(THREE[1])):
        assert_recovered(THREE[0] + THREE[1][:at] + THREE[1][at + 1 :] + THREE[2], first, None, third)
        if at:
            assert_recovered(THREE[0] + THREE[1][:at] + b"?" + THREE[1][at:] + THREE[2], first, None, third)


def test_a_frame_that_is_gone_leaves_a_gap():
    (gap,) = assert_recovered(THREE[0] + THREE[2], SOURCES[0], None, SOURCES[2])
    assert (gap.offset, gap.length) == (len(THREE[0]), 0)
    assert_recovered(THREE[1] + THREE[2], None, *SOURCES[1:])
    (end,) = assert_recovered(THREE[0] + THREE[1], *SOURCES[:2], None)
    assert "truncated" in end.reason
    assert_recovered(THREE[0] + FILES[2] + FILES[3], SOURCES[0], None, *SOURCES[1:])


def test_every_truncation_leaves_the_frames_before_it():
    for length in range(len(FILES[0])):
        whole = sum(length >= len(b"".join(THREE[: n + 1])) for n in range(3))
        assert_recovered(FILES[0][:length], *SOURCES[:whole], None)


def test_what_stands_around_the_frames_is_a_hole():
    assert_recovered(b"junk" + FILES[0] + b"junk", None, *SOURCES, None)
    assert_recovered(b"nothing here", None)
    assert_recovered(b"", None)


def test_numbers_count_holes_as_frames():
    file = THREE[0][:-1] + b"?" + THREE[1] + THREE[2]
    assert [h.number for h, _ in list(iter_frames_keep_going(io.BytesIO(file)))[1:]] == [2, 3]


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 60))
@example(
    b"123", 11, 7
)  # the check of 16 bits is right by chance, as of one damaged frame in 65,536: the CRC of the source is not
def test_keeping_going_never_fails_and_never_invents(junk, at, cut):
    file = FILES[0] * 2
    at %= len(file)
    for item in iter_frames_keep_going(io.BytesIO(file[:at] + junk + file[at + cut :])):
        if not isinstance(item, Damaged):
            with contextlib.suppress(ChecksumError):  # which `codec.restore` takes for damage
                assert restored(*item) in SOURCES


@pytest.mark.parametrize("reach", [2, 3])
def test_a_damaged_length_that_ends_at_another_frame_hides_none(reach):
    """The first frame claims the bytes of those after it: up to the third, or to the end of the file."""
    claimed = sum(map(len, THREE[1:reach]))
    (header, payload), *_ = iter_frames_keep_going(io.BytesIO(THREE[0]))
    wrong = replace(header, payload_length=header.payload_length + claimed, check=header.check)
    assert_recovered(wrong.pack() + payload.read() + THREE[1] + THREE[2], None, *SOURCES[1:])


def test_a_damaged_raw_frame_that_holds_a_tokp_file_stays_one_hole():
    files = member((Kind.RAW, FILES[0]), (Kind.RAW, b"and on"))
    damaged = files[0][:-1] + b"?"
    (hole,) = assert_recovered(damaged + files[1], None, b"and on")
    assert hole.length == len(damaged)
