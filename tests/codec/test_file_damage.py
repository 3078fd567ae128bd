"""tokpress.open on files that are damaged, cut off or put together wrongly."""

import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.codec.files import DATA, MODEL, Pipe, offsets, packed, reader
from tests.container.frames import digest, rewritten
from tokpress.codec import restore
from tokpress.codec import stream as pipeline
from tokpress.codec.file import TokpressFile
from tokpress.container.frames import MAX_NUMBER, FrameHeader, Kind, write_frame
from tokpress.container.lzma2 import lzma_encode
from tokpress.container.member import iter_frames
from tokpress.errors import ChecksumError, FormatError, TokpressError


@pytest.fixture(scope="module")
def streamed() -> tuple[bytes, bytes]:
    """A source that is too large to be held until it is checked, and its lzma payload."""
    source = bytes(restore.HOLD + 1)
    return source, lzma_encode(source)


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
def test_damage(source):
    data = bytearray(packed())
    data[offsets(bytes(data))[2] + 30] ^= 1
    file = TokpressFile(source(bytes(data)), model=MODEL)
    assert file.read(2000) == DATA[:2000]
    for _ in range(2):
        with pytest.raises(FormatError, match="frame"):
            file.read(1)
    if source is io.BytesIO:
        file.seek(3000)
        assert file.read() == DATA[3000:]  # frames are independent


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
def test_every_flip_and_every_length_is_an_error(source):
    data = packed(DATA[:90], 40)
    assert len(offsets(data)) == 3
    cases = [data[:at] for at in range(len(data))]
    cases += [data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :] for at in range(len(data))]
    cases += [packed(b"")[:-1] + b"?"]
    for case in cases:
        with pytest.raises(FormatError):
            TokpressFile(source(case), model=MODEL).read()


def test_a_frame_missing_or_moved():
    data, at = packed(), offsets(packed())
    with pytest.raises(FormatError, match="missing"):
        reader(data[: at[1]] + data[at[2] :]).read()
    with pytest.raises(FormatError, match="missing"):
        reader(data[at[1] :]).seek(0, io.SEEK_END)


def lzma_frame(source, payload, crc: int) -> bytes:
    lengths = {"source_length": len(source), "payload_length": len(payload), "digest": digest(bytes(source))}
    return rewritten(FrameHeader(kind=Kind.LZMA, source_crc=crc, **lengths), payload)


def test_large_lzma_frames_stream(streamed):
    source, payload = streamed
    data = bytearray(lzma_frame(source, payload, zlib.crc32(source)))
    file = reader(bytes(data))
    assert file.read(10) == source[:10] and file.seek(60_000_000) and file.read() == source[60_000_000:]
    assert file.seek(5) == 5 and file.read() == source[5:]
    data[-1] ^= 1
    with pytest.raises(ChecksumError):
        reader(bytes(data)).read()


def test_no_last_piece_of_a_frame_before_it_is_verified(streamed):
    """Of a large lzma frame whose source is another one, whoever reads exactly its length gets an error."""
    source, payload = streamed
    wrong = lzma_frame(source, payload, zlib.crc32(source) ^ 1)
    for sizes in ([len(source)], [1 << 20] * 65, [100_000] * 672):
        file, read = reader(wrong), 0
        with pytest.raises(ChecksumError, match="probably damaged"):
            for size in sizes:
                read += len(file.read(size))
        assert read < len(source)
    with pytest.raises(ChecksumError):
        pipeline.decompress(wrong)
    pipeline.decompress_stream(io.BytesIO(wrong), out := io.BytesIO(), keep_going=True)
    assert out.getvalue() == b""  # decoded once before a byte of it is written


def other_member_of(data: bytes) -> bytes:
    """A file of frames of the same sizes."""
    return packed(bytes(reversed(data)))


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
def test_frames_of_another_member(source):
    ours, other = packed(), other_member_of(DATA)
    cuts, others = [*offsets(ours), len(ours)], [*offsets(other), len(other)]
    for number in range(6):
        spliced = ours[: cuts[number]] + other[others[number] : others[number + 1]] + ours[cuts[number + 1] :]
        with pytest.raises(FormatError, match="does not belong to the frame before it"):
            TokpressFile(source(spliced), model=MODEL).read()
        with pytest.raises(FormatError, match="does not belong to the frame before it"):
            reader(spliced).seek(0, io.SEEK_END)


def relinked(data: bytes, **lies) -> bytes:
    """The file with lies in its last header, and checks and links that hold."""
    *_, (header, payload) = [(h, p.read()) for h, p in iter_frames(io.BytesIO(data))]
    return data[: header.offset] + rewritten(header, payload, **lies)


def test_a_digest_that_is_another():
    wrong = relinked(packed(), digest=bytes(8))
    with pytest.raises(ChecksumError, match="the whole is not"):
        reader(wrong).read()
    with pytest.raises(ChecksumError, match="the whole is not"):
        tokpress.decompress(wrong, models=[MODEL])
    file = reader(wrong)
    assert file.read(5000) == DATA[:5000]
    with pytest.raises(ChecksumError):
        file.read(300)
    file.seek(1000)
    with pytest.raises(ChecksumError):
        file.read()
    summary = pipeline.decompress_stream(io.BytesIO(wrong), out := io.BytesIO(), [MODEL], keep_going=True)
    assert out.getvalue() == DATA and "the whole is not" in summary.damaged[0].reason


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5300), st.integers(0, 2000)), max_size=8))
def test_a_digest_is_no_obstacle_to_moving_about(moves):
    file = reader(packed())
    for at, size in moves:
        file.seek(at)
        assert file.read(size) == DATA[at : at + size]
    file.seek(0)
    assert file.read() == DATA


def test_more_source_than_a_file_can_have():
    """Sums of lengths beyond 2^63, of one member and of several."""
    huge = {"kind": Kind.LZMA, "source_length": MAX_NUMBER, "payload_length": 1}
    one = rewritten(FrameHeader(**huge, digest=bytes(8)), b"x")
    first = FrameHeader(**huge, last=False)
    write_frame(out := io.BytesIO(), first, b"x")
    link = next(iter_frames(io.BytesIO(out.getvalue())))[0].next_link()
    several = out.getvalue() + rewritten(FrameHeader(**huge, sequence=1, link=link, last=False), b"x")
    for data in (one + one, several):
        with pytest.raises(FormatError, match="2\\^63"):
            reader(data).seek(0, io.SEEK_END)
        with pytest.raises(TokpressError):
            reader(data).read()
