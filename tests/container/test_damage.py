"""What is damaged is noticed."""

import io

import pytest

from tokpress.container import (
    SYNC,
    Damaged,
    Kind,
    check_source,
    iter_frames_keep_going,
)
from tokpress.errors import ChecksumError, FormatError

from .frames import (
    FILES,
    MODEL,
    SOURCES,
    THREE,
    decoded,
    frame,
    recovered,
)


@pytest.mark.parametrize("file", FILES, ids=["three", "model", "raw", "lzma", "empty"])
def test_every_changed_byte_is_noticed(file):
    for at in range(len(file)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            with pytest.raises(FormatError):
                decoded(file[:at] + bytes([file[at] ^ mask]) + file[at + 1 :])


def test_a_changed_model_id_is_damage_and_not_another_model():
    at = FILES[1].index(MODEL)
    with pytest.raises(ChecksumError):
        decoded(FILES[1][:at] + b"\xcb" + FILES[1][at + 1 :])


def test_every_truncation_is_noticed():
    file, ends = FILES[0] + FILES[2] + FILES[4], (len(FILES[0]), len(FILES[0] + FILES[2]))
    for length in range(len(file)):
        if length in ends:
            assert decoded(file[:length])
        else:
            with pytest.raises(FormatError):
                decoded(file[:length])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 2], "frames 1 to 1 of this member"),
        ([1, 2], "frames 0 to 0"),
        ([0, 1, 1, 2], "frame 1 of a member follows frame 1"),
        ([0, 0, 1, 2], "frame 0 of a member follows frame 0"),
        ([0, 1], "truncated after frame 2"),
    ],
)
def test_missing_and_moved_frames_are_noticed(order, message):
    with pytest.raises(FormatError, match=message):
        decoded(b"".join(THREE[i] for i in order))


def test_totals_must_add_up():
    file = frame(Kind.RAW, b"ab", last=False) + frame(Kind.RAW, b"c", sequence=1, total_length=4)
    with pytest.raises(FormatError, match="3 bytes instead of 4"):
        decoded(file)
    assert recovered(file)[0] == b"ab"
    assert isinstance(recovered(file)[1], Damaged)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "empty"),
        (b"GIF89a", "not a .tokp file"),
        (SYNC[:3] + b"\x02 and so on", "format version 2.*upgrade"),
        (SYNC + b"\x0b", "kind byte 0x0b is unknown: upgrade"),
        (SYNC + b"\x48", "kind byte 0x48"),
        (SYNC + b"\x28", "kind byte 0x28"),
        (SYNC + b"\x18\0\1\1", "continues a member as its frame 0"),
        (frame(Kind.RAW, b"x") + b"\0\0\0\0", r"frame 2 \(at byte 14\): no frame begins here"),
    ],
)
def test_messages_say_what_it_is_and_what_to_do(file, message):
    with pytest.raises(FormatError, match=message):
        decoded(file)


def test_a_decoder_that_goes_wrong_is_told_from_damage():
    ((header, payload),) = list(iter_frames_keep_going(io.BytesIO(FILES[1])))
    payload.read()  # undamaged
    for wrong in (b"", b"It was the best of times! ", SOURCES[0] + b"x"):
        with pytest.raises(ChecksumError, match="undamaged"):
            check_source(header, wrong)
