"""The container: what is written comes back, what is damaged is noticed, and what is hostile costs nothing."""

import io
import lzma
import random
import re
import subprocess
import sys
import tracemalloc
import zlib
from binascii import crc_hqx
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.container import (
    MAX_LANES,
    MAX_NUMBER,
    MAX_SOURCE,
    PIECE,
    SYNC,
    Damaged,
    FrameHeader,
    Kind,
    LzmaEncoder,
    Payload,
    check_source,
    iter_frames,
    iter_frames_keep_going,
    lzma_decode,
    lzma_encode,
    pack_varint,
    read_header,
    restore_plain,
    write_frame,
)
from tokpress.errors import ChecksumError, FormatError

MODEL = bytes.fromhex("cafef00d")
FORMAT = Path(__file__).parent.parent / "docs" / "format.md"


def frame(kind: Kind, source: bytes, **more) -> bytes:
    """One frame. A "model" codes by turning every byte over, so that the tests can decode it."""
    payload = {Kind.RAW: bytes, Kind.LZMA: lzma_encode, Kind.MODEL: turned}[kind](source)
    if kind == Kind.MODEL:
        more = {"model_id": MODEL, "tokens": len(source)} | more
    header = FrameHeader(
        kind=kind, source_length=len(source), payload_length=len(payload), source_crc=zlib.crc32(source), **more
    )
    out = io.BytesIO()
    assert write_frame(out, header, payload) == len(out.getvalue())
    return out.getvalue()


def turned(source: bytes) -> bytes:
    return bytes(255 - b for b in source)


def member(*parts: tuple[Kind, bytes]) -> list[bytes]:
    total = sum(len(source) for _, source in parts)
    end = len(parts) - 1
    return [
        frame(kind, source, last=i == end, sequence=i, total_length=total if i == end and i else None)
        for i, (kind, source) in enumerate(parts)
    ]


def restored(header: FrameHeader, payload: Payload) -> bytes:
    if header.kind != Kind.MODEL:
        return b"".join(restore_plain(header, payload))
    source = turned(payload.read())
    check_source(header, source)
    return source


def decoded(file: bytes) -> list[bytes]:
    return [restored(*item) for item in iter_frames(io.BytesIO(file))]


def recovered(file: bytes) -> list[bytes | Damaged]:
    items = iter_frames_keep_going(io.BytesIO(file))
    return [item if isinstance(item, Damaged) else restored(*item) for item in items]


PARTS = [(Kind.MODEL, b"It was the best of times, "), (Kind.RAW, b"it was the worst"), (Kind.LZMA, b" of times" * 9)]
THREE = member(*PARTS)
SOURCES = [source for _, source in PARTS]
FILES = [b"".join(THREE), *(frame(kind, source) for kind, source in PARTS), frame(Kind.RAW, b"")]

small = st.integers(0, 300)


@st.composite
def headers(draw) -> FrameHeader:
    kind = draw(st.sampled_from(Kind))
    most = MAX_NUMBER if kind == Kind.LZMA else MAX_SOURCE
    length = draw(st.one_of(small, st.integers(0, most)))
    length = length if kind == Kind.RAW else max(1, length)
    last, sequence = draw(st.booleans()), draw(st.one_of(small, st.integers(0, MAX_NUMBER)))
    total = draw(st.integers(0, MAX_NUMBER)) if last and sequence else None
    model = {}
    if kind == Kind.MODEL:
        tokens = draw(st.integers(1, 2 * length))
        lanes = draw(st.none() | st.integers(1, min(tokens, MAX_LANES)))
        model = {"model_id": draw(st.binary(min_size=4, max_size=4)), "tokens": tokens, "lanes": lanes}
    most = 8 * length + 64 if kind == Kind.MODEL else MAX_NUMBER
    payload = length if kind == Kind.RAW else draw(st.one_of(small.filter(lambda n: n <= most), st.integers(0, most)))
    crc, check = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**16 - 1))
    return FrameHeader(
        kind=kind, source_length=length, payload_length=payload, source_crc=crc, check=check,
        last=last, sequence=sequence, total_length=total, **model,
    )  # fmt: skip


# --- round trips


@given(headers())
def test_a_header_comes_back_as_it_was(header):
    stream = io.BytesIO(header.pack() + b"payload")
    assert read_header(stream) == header
    assert stream.read() == b"payload"


@given(st.binary(max_size=80))
def test_a_header_that_is_accepted_has_one_spelling(data):
    stream = io.BytesIO(SYNC + data)
    try:
        header = read_header(stream)
    except FormatError:
        return
    assert header.pack() == (SYNC + data)[: stream.tell()]


parts = st.lists(st.tuples(st.sampled_from(Kind), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4)


@given(st.lists(parts, min_size=1, max_size=3))
def test_members_come_back_from_a_concatenated_file(members):
    frames = [f for parts in members for f in member(*parts)]
    sources = [source for parts in members for _, source in parts]
    assert decoded(b"".join(frames)) == recovered(b"".join(frames)) == sources


def test_payloads_nobody_reads_are_passed_over_and_verified():
    file = b"".join(THREE)
    assert [h.kind for h, _ in iter_frames(io.BytesIO(file))] == [kind for kind, _ in PARTS]
    with pytest.raises(ChecksumError):
        list(iter_frames(io.BytesIO(file[:-1] + b"?")))


def test_offsets_and_numbers_tell_where_a_frame_is():
    places = [(h.offset, h.number) for h, _ in iter_frames(io.BytesIO(b"".join(THREE)))]
    assert places == [(0, 1), (len(THREE[0]), 2), (len(THREE[0]) + len(THREE[1]), 3)]


class Pipe(io.RawIOBase):
    """Neither seeks nor gives more than three bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 3))


def test_a_pipe_that_reads_short():
    assert [restored(*item) for item in iter_frames(Pipe(FILES[0]))] == SOURCES


def test_large_payloads_come_in_pieces_from_a_file():
    source = random.Random(1).randbytes(2 * PIECE + 5)
    header = FrameHeader(
        kind=Kind.RAW, source_length=len(source), payload_length=len(source), source_crc=zlib.crc32(source)
    )
    out, spool = io.BytesIO(), io.BytesIO(b"before" + source)
    spool.seek(6)
    write_frame(out, header, spool)
    ((header, payload),) = iter_frames_keep_going(io.BytesIO(out.getvalue()))
    assert [len(piece) for piece in payload] == [PIECE, PIECE, 5]
    assert decoded(out.getvalue()) == [source]


@pytest.mark.parametrize("wrong", [4, 6])
def test_a_writer_with_the_wrong_length_is_told(wrong):
    header = FrameHeader(kind=Kind.LZMA, source_length=9, payload_length=wrong, source_crc=0)
    with pytest.raises(ValueError, match="payload_length"):
        write_frame(io.BytesIO(), header, b"12345")


# --- size


def test_overhead_of_a_model_frame_is_24_bytes():
    two_mib = (1 << 21) - 1
    header = FrameHeader(
        kind=Kind.MODEL, source_length=two_mib, payload_length=two_mib, source_crc=0, model_id=MODEL, tokens=two_mib
    )
    assert len(header.pack()) == 4 + 1 + 3 + 4 + 3 + 3 + 4 + 2 == 24
    assert len(frame(Kind.RAW, b"")) == 13
    assert len(FrameHeader(kind=Kind.RAW, source_length=two_mib, payload_length=two_mib, source_crc=0).pack()) == 17


def test_the_examples_in_the_documentation_are_ours():
    text = FORMAT.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}( *(?:[0-9a-f]{2}(?: {1,2}|$))+)", text.split("## Examples")[1], re.MULTILINE)
    written = bytes.fromhex("".join(lines).replace(" ", ""))
    expected = frame(Kind.RAW, b"hello") + frame(Kind.RAW, b"")
    expected += b"".join(member((Kind.RAW, b"ab"), (Kind.RAW, b"c")))
    assert written[: len(expected)] == expected
    assert decoded(written) == [b"hello", b"", b"ab", b"c", b"a" * 1000]  # liblzma may come to code otherwise
    assert f"{crc_hqx(b'123456789', 0xFFFF):04x}" in text
    assert f"{zlib.crc32(b'123456789'):08x}" in text


def test_the_container_imports_nothing_heavy():
    code = "import sys, tokpress.container; print({'torch', 'numba', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


# --- damage


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


# --- keeping going


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
def test_keeping_going_never_fails_and_never_invents(junk, at, cut):
    file = FILES[0] * 2
    at %= len(file)
    for item in recovered(file[:at] + junk + file[at + cut :]):
        assert isinstance(item, Damaged) or item in SOURCES


# --- hostile files


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
        RAW | {"sequence": -1},
        RAW | {"kind": Kind.LZMA, "source_length": 0},
        RAW | {"kind": Kind.LZMA, "source_length": MAX_NUMBER + 1},
        CODED | {"source_length": MAX_SOURCE + 1},
        CODED | {"source_length": 0},
        CODED | {"model_id": None},
        CODED | {"model_id": b"abc"},
        CODED | {"tokens": None},
        CODED | {"tokens": 0},
        CODED | {"tokens": 19},
        CODED | {"lanes": 0},
        CODED | {"lanes": 10},
        CODED | {"source_length": MAX_SOURCE, "tokens": MAX_SOURCE, "lanes": MAX_LANES + 1},
        CODED | {"payload_length": 8 * 9 + 65},
    ],
)
def test_impossible_headers_cannot_be_made(fields):
    with pytest.raises(FormatError, match="impossible header"):
        FrameHeader(source_crc=0, **fields)


def peak_memory(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_lying_payload_length_allocates_nothing():
    header = FrameHeader(kind=Kind.LZMA, source_length=1 << 62, payload_length=1 << 60, source_crc=0)
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


# --- lzma

TEXT = b"".join(b"%d bottles of beer on the wall, %d bottles of beer\n" % (n, n * n) for n in range(3000))


@pytest.mark.parametrize("source", [b"a", b"abc" * 5000, TEXT, random.Random(2).randbytes(100_000)], ids=len)
def test_lzma_is_no_larger_than_xz(source):
    payload = lzma_encode(source)
    assert len(payload) <= len(lzma.compress(source, preset=9 | lzma.PRESET_EXTREME))
    for step in (1000, len(payload)):
        pieces = [payload[i : i + step] for i in range(0, len(payload), step)]
        assert b"".join(lzma_decode(pieces, len(source))) == source


def test_lzma_by_pieces_of_unknown_length():
    encoder = LzmaEncoder()
    payload = b"".join([*(encoder.compress(TEXT[i : i + 999]) for i in range(0, len(TEXT), 999)), encoder.finish()])
    assert payload[0] == 28
    assert b"".join(lzma_decode([payload], len(TEXT))) == TEXT


@pytest.mark.parametrize(("length", "byte"), [(1, 0), (4096, 0), (4097, 1), (6145, 2), (1 << 20, 16)])
def test_the_dictionary_is_the_smallest_that_holds_the_source(length, byte):
    assert LzmaEncoder(length).finish()[0] == byte


def test_lzma_that_lies_is_rejected():
    payload = lzma_encode(TEXT)
    for pieces, length in [
        ([payload], len(TEXT) - 1),
        ([payload], len(TEXT) + 1),
        ([payload[:-1]], len(TEXT)),
        ([payload + b"\0"], len(TEXT)),
        ([payload, b"\0"], len(TEXT)),
        ([b"\x1d" + payload[1:]], len(TEXT)),
        ([payload[:1]], 1),
        ([b"\0\xff\xff"], 1),
        ([], 1),
    ]:
        with pytest.raises(ChecksumError, match="does not decode"):
            list(lzma_decode(pieces, length))


def test_an_lzma_bomb_stops_at_the_length_of_its_header():
    payload = lzma_encode(bytes(1 << 23))

    def decode() -> None:
        with pytest.raises(ChecksumError, match="more than its header says"):
            list(lzma_decode([payload], 1000))

    assert peak_memory(decode) < PIECE


def test_a_model_frame_is_not_plain():
    ((header, payload),) = iter_frames_keep_going(io.BytesIO(FILES[1]))
    with pytest.raises(ValueError, match="its model"):
        list(restore_plain(header, payload))
