"""TokpressCompressor and TokpressDecompressor: bytes in, bytes out, as in Python's compression.zstd (PEP 784)."""

import io
import lzma
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.codec.files import DATA, MODEL, offsets, packed
from tests.container.frames import digest
from tokpress.codec.restore import HOLD
from tokpress.container.frames import FrameHeader, Kind, write_frame
from tokpress.errors import ChecksumError, FormatError, ModelMismatchError, TokpressError

MEMBERS = packed() + packed(b"") + packed(DATA[:1500])


def compressor(**more) -> tokpress.TokpressCompressor:
    return tokpress.TokpressCompressor(model=MODEL, frame_size=1000, **more)


def decompressor(**more) -> tokpress.TokpressDecompressor:
    return tokpress.TokpressDecompressor(model=MODEL, **more)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


def restored(data: bytes, pieces: int = 1 << 20, max_length: int = -1) -> bytes:
    """The sources of all members, by the loop that the documentation of `compression.zstd` describes."""
    stream, taken, got = io.BytesIO(data), b"", b""
    while True:
        one = decompressor()
        while not one.eof:
            if one.needs_input and not taken:
                taken = stream.read(pieces)
                if not taken:
                    raise EOFError("cut off")
            part, taken = one.decompress(taken, max_length), b""
            assert len(part) <= max_length or max_length < 0
            got += part
        taken = one.unused_data or stream.read(pieces)
        if not taken:
            return got


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 5300), max_size=8))
def test_pieces_give_the_file_that_open_writes(places):
    one = compressor()
    assert b"".join(map(one.compress, cut(DATA, places))) + one.flush() == packed()


def test_a_frame_comes_out_when_it_is_full():
    one = compressor()
    assert one.compress(DATA[:1000]) == b"" and one.last_mode == one.CONTINUE
    first = one.compress(DATA[1000:1001])
    assert first and packed().startswith(first)


def test_a_compressor_writes_one_member_after_another():
    one = compressor()
    assert one.compress(DATA, one.FLUSH_FRAME) == packed() and one.last_mode == one.FLUSH_FRAME
    assert one.flush() == packed(b"")
    assert one.compress(bytearray(DATA[:1500])) + one.flush() == packed(DATA[:1500])


def test_what_is_flushed_can_be_read():
    one, other, done = compressor(), decompressor(), b""
    for piece in cut(DATA[:3500], [100, 250, 2500]):
        done += other.decompress(one.compress(piece, one.FLUSH_BLOCK))
        assert DATA.startswith(done) and DATA[: len(done)][-len(piece) :] == piece and not other.eof
    assert one.flush(one.FLUSH_BLOCK) == b""
    assert other.decompress(one.flush()) == b"" and other.eof


@pytest.mark.parametrize("call", ["compress", "flush"])
def test_modes_are_checked(call):
    with pytest.raises(ValueError, match="mode must be"):
        compressor().compress(b"", 3) if call == "compress" else compressor().flush(0)


def test_an_effort_is_that_of_compress():
    one = tokpress.TokpressCompressor(effort="fast")
    assert one.compress(DATA) + one.flush() == tokpress.compress(DATA, effort="fast")


@pytest.mark.parametrize("pieces", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("max_length", [-1, 1, 999, 1000, 3000])
def test_members_come_back_in_pieces(pieces, max_length):
    assert restored(MEMBERS, pieces, max_length) == DATA + DATA[:1500]


def test_attributes_follow_the_protocol():
    one, member = decompressor(), packed()
    assert (one.eof, one.needs_input, one.unused_data) == (False, True, b"")
    assert one.decompress(member, 0) == b"" and not one.needs_input
    assert one.decompress(b"xyz", 1200) == DATA[:1200] and not one.needs_input and one.unused_data == b""
    assert one.decompress(b"") == DATA[1200:]
    assert (one.eof, one.needs_input, one.unused_data) == (True, False, b"xyz")
    with pytest.raises(EOFError, match="new decompressor"):
        one.decompress(b"")


def test_a_cut_file_never_ends():
    member = packed()
    for size in range(0, len(member), 61):
        one = decompressor()
        got = one.decompress(member[:size])
        assert not one.eof and one.needs_input and DATA.startswith(got) and len(got) == 1000 * (len(got) // 1000)
        assert one.decompress(member[size:]) == DATA[len(got) :] and one.eof


@pytest.mark.parametrize("pieces", [1, 1 << 20])
def test_no_damage_gives_wrong_bytes(pieces):
    member = packed(DATA[:250], 100)
    for place in range(len(member)):
        broken = bytearray(member)
        broken[place] ^= 4
        one, got = decompressor(), b""
        with pytest.raises(TokpressError) as first:
            for at in range(0, len(broken), pieces):
                got += one.decompress(broken[at : at + pieces])
            assert not one.eof
            one.decompress(bytes(1 << 12))  # a length that was changed may wait for more
        assert DATA[:200].startswith(got) and not one.eof
        with pytest.raises(type(first.value)):
            one.decompress(b"")


def test_zeros_in_place_of_a_frame_are_an_error():
    """They could go on for ever."""
    member = packed()
    one = decompressor()
    assert one.decompress(member[: offsets(member)[1]]) == DATA[:1000]
    with pytest.raises(FormatError, match="frame 2"):
        one.decompress(bytes(1000))


def test_frames_of_another_member_are_refused():
    member, other = packed(), packed(DATA[::-1])
    one = decompressor()
    with pytest.raises(FormatError, match="does not belong"):
        one.decompress(member[: offsets(member)[1]] + other[offsets(other)[1] :])
    with pytest.raises(FormatError, match="missing"):
        decompressor().decompress(member[offsets(member)[1] :])


def test_another_kind_of_file_is_refused():
    with pytest.raises(FormatError, match=r"not a \.tokp file"):
        decompressor().decompress(b"PK\3\4")


def test_a_missing_model_is_named():
    with pytest.raises(ModelMismatchError):
        tokpress.TokpressDecompressor().decompress(packed())


def test_contexts():
    context = tokpress.Context(DATA)
    one, other = compressor(context=context), decompressor(context=context)
    file = one.compress(DATA[100:900]) + one.flush()
    assert len(file) < 800 and other.decompress(file) == DATA[100:900] and other.eof
    with pytest.raises(ModelMismatchError, match="context"):
        decompressor().decompress(file)


def lzma_frame(source: bytes, wrong: int = 0) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 16}]
    payload = bytes([8]) + lzma.compress(source, lzma.FORMAT_RAW, filters=filters)
    header = FrameHeader(
        kind=Kind.LZMA,
        source_length=len(source),
        payload_length=len(payload),
        source_crc=zlib.crc32(source) ^ wrong,
        digest=digest(source),
    )
    write_frame(out := io.BytesIO(), header, payload)
    return out.getvalue()


def test_a_large_frame_streams():
    size = HOLD + 5
    file = lzma_frame(bytes(size))
    one, got, pieces = decompressor(), 0, []
    tracemalloc.start()
    for at in range(0, len(file), 1 << 10):
        pieces.append(file[at : at + (1 << 10)])
        while not one.eof and (pieces or not one.needs_input):
            part = one.decompress(pieces.pop() if pieces else b"", 1 << 19)
            assert not any(part) and len(part) <= 1 << 19
            got += len(part)
        assert got or at < len(file) // 2
    assert got == size and one.eof and tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_a_large_frame_is_verified_before_its_last_piece():
    one = decompressor()
    file, got = lzma_frame(bytes(HOLD + 5), wrong=1), 0
    with pytest.raises(ChecksumError):
        got += len(one.decompress(file, HOLD // 2))
        while part := one.decompress(b"", 1 << 20):
            got += len(part)
    assert HOLD // 2 <= got < HOLD + 5 and not one.eof


@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_frames_without_models(size):
    file = packed(b"") if not size else lzma_frame(bytes(range(256)) * (size // 256) + bytes(size % 256))
    assert restored(file, 3) == tokpress.decompress(file)
