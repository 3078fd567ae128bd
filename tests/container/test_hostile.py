"""What is hostile costs nothing."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.container.frames import MAX_LANES, MAX_NUMBER, MAX_SOURCE, SYNC, Damaged, FrameHeader, Kind
from tokpress.container.member import iter_frames
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.container.varint import PIECE, pack_varint
from tokpress.errors import FormatError

from .frames import (
    MODEL,
    decoded,
    peak_memory,
    recovered,
)


@pytest.mark.parametrize(
    "varint",
    [b"\x80\x00", b"\xff\x80\x00", b"\x80" * 40, b"\xff" * 9 + b"\x01", b"\xff" * 8 + b"\x80\x00"],
)
def test_varints_too_long_are_rejected(varint):
    with pytest.raises(FormatError, match="spelled longer"):
        decoded(SYNC + b"\x08" + varint + b"\0" * 20)


@given(st.integers(0, MAX_NUMBER))
def test_varints_are_as_short_as_can_be(number):
    assert len(pack_varint(number)) == max(1, -(-number.bit_length() // 7)) <= 9


RAW = {"kind": Kind.RAW, "source_length": 9, "payload_length": 9}
CODED = {"kind": Kind.MODEL, "source_length": 9, "payload_length": 9, "model_id": MODEL, "tokens": 9}


@pytest.mark.parametrize(
    "fields",
    [
        RAW | {"payload_length": 8},
        RAW | {"source_length": MAX_SOURCE + 1, "payload_length": MAX_SOURCE + 1},
        RAW | {"model_id": MODEL},
        RAW | {"tokens": 9},
        RAW | {"lanes": 1},
        RAW | {"total_length": 9},
        RAW | {"sequence": 1},
        RAW | {"link": bytes(4)},
        RAW | {"sequence": 1, "link": bytes(3), "last": False},
        RAW | {"sequence": 1, "link": bytes(4), "total_length": 9},
        RAW | {"sequence": 1, "link": bytes(4), "total_length": 9, "digest": bytes(7)},
        RAW | {"digest": bytes(8)},
        RAW | {"residual_id": MODEL},
        CODED | {"residual_id": MODEL},
        CODED | {"kind": Kind.RESIDUAL},
        CODED | {"kind": Kind.RESIDUAL, "model_id": None, "residual_id": MODEL},
        RAW | {"sequence": -1},
        RAW | {"kind": Kind.LZMA, "source_length": 0},
        RAW | {"kind": Kind.LZMA, "source_length": MAX_NUMBER + 1},
        CODED | {"source_length": MAX_SOURCE + 1},
        CODED | {"source_length": 0},
        CODED | {"model_id": None},
        CODED | {"model_id": b"abc"},
        CODED | {"tokens": None},
        CODED | {"tokens": 0},
        CODED | {"tokens": 73},
        CODED | {"lanes": 0},
        CODED | {"lanes": 10},
        CODED | {"source_length": MAX_SOURCE, "tokens": MAX_SOURCE, "lanes": MAX_LANES + 1},
        CODED | {"payload_length": 8 * 9 + 65},
    ],
)
def test_impossible_headers_cannot_be_made(fields):
    with pytest.raises(FormatError, match="impossible header"):
        FrameHeader(source_crc=0, **fields)


def test_a_lying_payload_length_allocates_nothing():
    header = FrameHeader(kind=Kind.LZMA, source_length=1 << 62, payload_length=1 << 60, digest=bytes(8))
    file = header.pack() + b"\x1c\x01"

    def read() -> None:
        with pytest.raises(FormatError, match="truncated"):
            next(iter_frames(io.BytesIO(file)))[1].read()
        assert isinstance(recovered(file)[0], Damaged)

    def decode() -> None:
        with pytest.raises(FormatError, match="truncated"):
            decoded(file)

    assert peak_memory(read) < PIECE
    assert peak_memory(decode) < 65 * PIECE  # LZMA's largest dictionary, which liblzma reserves at the start


class Counting(io.BytesIO):
    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def hostile_files() -> dict[str, bytes]:
    """Frames that overlap: each payload reaches over thousands of the headers that follow."""

    def header(payload_length: int) -> bytes:
        return FrameHeader(kind=Kind.LZMA, source_length=1, payload_length=payload_length, source_crc=0).pack()

    size = len(header(30_000))
    return {
        "nothing but syncs": SYNC * 15_000,
        "up to a sync": header(2000 * size) * 4000,
        "beside a sync": header(2000 * size + 1) * 4000,
        "beyond the end": header(1 << 60) * 3000,
        "all to one place": b"".join(header((3000 - i) * size + (1 << 15)) for i in range(2000)) + bytes(80_000),
    }


@pytest.mark.parametrize("name", hostile_files())
def test_hostile_files_cost_linear_time(name):
    stream = Counting(hostile_files()[name])
    assert all(isinstance(item, Damaged) for item in iter_frames_keep_going(stream))
    assert stream.count < 40 * len(stream.getvalue())
