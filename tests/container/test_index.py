"""The index of a file: its headers, which links and comparisons prove."""

import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.codec.files import DATA, MODEL, Pipe, packed
from tests.observe import calls_of
from tokpress.codec import restore
from tokpress.codec.file import TokpressFile
from tokpress.container import index
from tokpress.container.member import iter_frames
from tokpress.errors import FormatError

JOINED = packed(DATA[:2500]) + packed(b"") + packed(DATA[2500:2600]) + packed(DATA[2600:])


def indexed(data: bytes) -> bytes:
    return index.pack_index(index.iter_headers(io.BytesIO(data)))


class Watched(io.BytesIO):
    """Keeps the places that were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.places: list[tuple[int, int]] = []

    def read(self, size=-1):
        start = self.tell()
        data = super().read(size)
        self.places.append((start, start + len(data)))
        return data


def opened(data: bytes, of: bytes | None = None) -> tuple[TokpressFile, Watched]:
    """A file with its index, or with that of another file."""
    stream = Watched(data)
    return TokpressFile(stream, model=MODEL, index=io.BytesIO(indexed(data if of is None else of))), stream


@pytest.mark.parametrize("data", [packed(), packed(b""), JOINED], ids=["frames", "empty", "joined"])
def test_an_index_is_the_headers(data):
    headers = [header for header, _ in iter_frames(io.BytesIO(data))]
    assert index.unpack_index(indexed(data)) == headers
    offset = 0
    for header in index.unpack_index(indexed(data)):
        assert header.offset == offset
        offset += header.frame_bytes
    assert offset == len(data)


@given(st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 3000)), max_size=8))
def test_like_bytesio(moves):
    ours, plain = opened(JOINED)[0], io.BytesIO(DATA)
    for position, count in moves:
        assert ours.seek(position) == min(plain.seek(position), len(DATA))
        assert ours.read(count) == plain.read(count)
    assert ours.seek(0, io.SEEK_END) == len(DATA) and ours.seek(0) == 0 and ours.read() == DATA


def test_one_frame_is_read_and_no_header_before_it():
    data = packed()
    headers = index.unpack_index(indexed(data))
    file, stream = opened(data)
    with calls_of(restore.restore_frame, lambda arguments: arguments["header"].number) as decoded:
        file.seek(3100)
        assert file.read(50) == DATA[3100:3150] and decoded == [4]
    read = {place for place in stream.places if place[0] < place[1]}
    assert min(start for start, _ in read) == headers[3].offset
    assert max(end for _, end in read) == headers[4].offset


def test_without_an_index_only_headers_are_read_on_the_way():
    data = packed()
    stream = Watched(data)
    headers = index.unpack_index(indexed(data))
    TokpressFile(stream, model=MODEL).seek(5100)
    first, *later = [header.offset for header in headers]
    assert [start for start, _ in stream.places if start >= later[0]] == later, "one read for each jump"
    size = len(headers[0].pack())
    assert all(first <= start <= end <= first + size for start, end in stream.places if start < later[0])
    assert all(end - start <= index.MAX_HEADER for start, end in stream.places)


def test_the_index_of_another_file():
    data, other = packed(), packed(DATA[:5000] + bytes(DATA[5000:])[::-1])
    with pytest.raises(FormatError, match="the index is of a file of"):
        opened(data, packed(2 * DATA))
    assert len(data) == len(other) and indexed(data) != indexed(other)
    file, _ = opened(data, other)
    assert file.read(5000) == DATA[:5000]  # up to here it is the same file
    with pytest.raises(FormatError, match=r"frame 6 .*index is of another file"):
        file.read(1)


def raw(*sources: bytes) -> bytes:
    """Members of one raw frame each, so that files with other frames have the same length."""
    from tokpress.container.frames import FrameHeader, Kind, write_frame

    out = io.BytesIO()
    for source in sources:
        write_frame(
            out,
            FrameHeader(
                kind=Kind.RAW, source_length=len(source), payload_length=len(source), source_crc=zlib.crc32(source)
            ),
            source,
        )
    return out.getvalue()


def test_members_before_the_place_are_compared_too():
    """No link joins members: an index with other members before the same last frame would lead to other bytes."""
    data, other = raw(b"a" * 30, b"b" * 10, b"c" * 50), raw(b"a" * 10, b"b" * 30, b"c" * 50)
    assert len(data) == len(other)
    file, _ = opened(data, other)
    file.seek(45)
    with pytest.raises(FormatError, match=r"frame 1 .*index is of another file"):
        file.read(1)
    assert opened(data)[0].read() == b"a" * 30 + b"b" * 10 + b"c" * 50


def test_the_length_is_compared_before_it_is_told():
    data, other = raw(b"a" * 30, b"b" * 10), raw(b"b" * 10, b"a" * 30)
    file, _ = opened(data, other)
    with pytest.raises(FormatError, match="index is of another file"):
        file.seek(0, io.SEEK_END)


@pytest.mark.parametrize("place", range(0, len(indexed(packed())), 3))
def test_a_damaged_index(place):
    damaged = bytearray(indexed(packed()))
    damaged[place] ^= 4
    with pytest.raises(FormatError, match=r"index"):
        index.unpack_index(bytes(damaged))


def resealed(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4, "little")


def test_headers_with_a_right_checksum_are_still_compared():
    """As by a program that writes wrong indexes."""
    data = packed()
    headers = index.unpack_index(indexed(data))
    body = index.MAGIC + b"".join(header.pack() for header in headers)
    with pytest.raises(FormatError, match="missing"):
        index.unpack_index(resealed(index.MAGIC + b"".join(header.pack() for header in headers[1:])))
    with pytest.raises(FormatError, match="truncated"):
        index.unpack_index(resealed(body[:-1]))
    with pytest.raises(FormatError, match="index is damaged"):
        index.unpack_index(resealed(index.MAGIC))
    for end in range(len(index.MAGIC)):
        with pytest.raises(FormatError, match="not an index"):
            index.unpack_index(index.MAGIC[:end])


def test_an_index_longer_than_its_file_is_not_read():
    stream = Watched(index.MAGIC + bytes(10**6))
    with pytest.raises(FormatError):
        TokpressFile(io.BytesIO(packed()), index=stream)
    assert stream.tell() < 10**5


def test_wrong_use(tmp_path):
    with pytest.raises(ValueError, match="file that can seek"):
        TokpressFile(Pipe(packed()), index=io.BytesIO(indexed(packed())))
    with pytest.raises(ValueError, match="index is for reading"):
        TokpressFile(io.BytesIO(), "wb", index=io.BytesIO())
    with pytest.raises(FileNotFoundError):
        TokpressFile(io.BytesIO(packed()), index=tmp_path / "none.idx")
    with pytest.raises(FormatError, match="truncated inside its payload"):
        indexed(packed()[:-1])
    with pytest.raises(FormatError, match="truncated after frame"):
        indexed(packed()[: index.unpack_index(indexed(packed()))[3].offset])


def test_a_damaged_frame_is_still_an_error():
    data = bytearray(packed())
    data[-1] ^= 1
    file, _ = opened(bytes(data), packed())
    file.seek(-1, io.SEEK_END)
    with pytest.raises(FormatError, match=r"check|damaged"):
        file.read()
