"""What is written comes back; a header has one spelling; frames cost what the documentation says."""

import io
import random
import re
import subprocess
import sys
import zlib
from binascii import crc_hqx
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.container.frames import MAX_WEIGHTS, SYNC, FrameHeader, Kind, read_header, write_frame
from tokpress.container.member import iter_frames
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.container.varint import PIECE
from tokpress.errors import ChecksumError, FormatError

from .frames import (
    FILES,
    MODEL,
    PARTS,
    SOURCES,
    SYNCED,
    THREE,
    decoded,
    frame,
    headers,
    member,
    recovered,
    restored,
    short_headers,
)

FORMAT = Path(__file__).parent.parent.parent / "docs" / "format.md"


@given(headers() | short_headers())
def test_a_header_comes_back_as_it_was(header):
    stream = io.BytesIO(header.pack() + b"payload")
    assert read_header(stream) == header
    assert stream.read() == b"payload"


@given(st.sampled_from([SYNC, b"\xd1", b"\xd2", b"\xd7"]), st.binary(max_size=80))
def test_a_header_that_is_accepted_has_one_spelling(start, data):
    stream = io.BytesIO(start + data)
    try:
        header = read_header(stream)
    except FormatError:
        return
    assert header.pack() == (start + data)[: stream.tell()]


@pytest.mark.parametrize(
    ("source", "payload", "size"), [(255, 255, 7), (256, 0, 8), (255, 256, 8), (16383, 1023, 8), (16383, 1024, 9)]
)
def test_a_short_header_has_7_to_9_bytes(source, payload, size):
    header = FrameHeader(kind=Kind.SHORT, source_length=source, payload_length=payload, context_id=b"id")
    assert len(header.pack()) == size


def test_short_frames_lie_between_others():
    """Their check is of header and source, so a changed payload is found when it is decoded."""
    record = frame(Kind.SHORT, b"a record")
    assert record[:5] == b"\xd1\xc0\xff\x08\x08"
    assert decoded(record + record + frame(Kind.RAW, b"raw")) == [b"a record", b"a record", b"raw"]
    for at in range(len(record)):
        with pytest.raises(FormatError):
            decoded(record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :])


parts = st.lists(st.tuples(st.sampled_from(SYNCED), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4)


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
        kind=Kind.RAW,
        source_length=len(source),
        payload_length=len(source),
        source_crc=zlib.crc32(source),
        digest=bytes(8),  # read back, and compared elsewhere
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


@pytest.mark.parametrize("size", [1, 1 << 20, MAX_WEIGHTS])
def test_a_header_of_weights_comes_back(size):
    header = FrameHeader(kind=Kind.WEIGHTS, source_length=0, payload_length=size, model_id=MODEL)
    assert read_header(io.BytesIO(header.pack())) == header
    with pytest.raises(FormatError, match="2\\^31"):
        replace(header, payload_length=MAX_WEIGHTS + 1)


def test_overhead_of_a_frame():
    most = (1 << 21) - 1
    long = {"source_length": most, "payload_length": most, "digest": bytes(8)}
    header = FrameHeader(kind=Kind.MODEL, model_id=MODEL, tokens=most, **long)
    assert len(header.pack()) == 4 + 1 + 3 + 4 + 3 + 8 + 3 + 4 + 2 == 32
    assert len(FrameHeader(kind=Kind.RAW, **long).pack()) == 25
    assert len(frame(Kind.RAW, b"")) == 13


def test_a_frame_of_16_kib_has_a_digest_and_a_smaller_one_has_none():
    for length, size in (((1 << 14) - 1, 0), (1 << 14, 8)):
        header = read_header(io.BytesIO(frame(Kind.RAW, bytes(length), digest=bytes(size))))
        assert len(header.digest) == size
        with pytest.raises(FormatError, match="a digest"):
            frame(Kind.RAW, bytes(length), digest=bytes(8 - size))


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
    code = "import sys, tokpress.container.frames; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
