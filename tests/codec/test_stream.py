"""Streams in, frames out, and back: what is reported, what is passed over, what is left alone."""

import io
import lzma
import os
import random
import signal
import tracemalloc
import zlib

import numpy as np
import pytest

import tokpress
from tests.models import tiny_models
from tokpress.codec import encoded_frame, selection
from tokpress.codec import stream as pipeline
from tokpress.codec.restore import Decoding, restored
from tokpress.codec.stream import Options, compress_stream, decompress_stream
from tokpress.container.frames import DIGEST_FROM, Damaged, FrameHeader, Kind, write_frame
from tokpress.container.lzma2 import LzmaEncoder, Packing
from tokpress.container.member import iter_frames
from tokpress.errors import ChecksumError, FormatError, ModelMismatchError
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.base import Tokenizer
from tokpress.tokenizers.sizes import EachToken
from tokpress.tokenizers.text.bytes import BytesTokenizer

LETTERS = np.frombuffer(b"abc\n", np.uint8)
DATA = np.random.default_rng(0).choice(LETTERS, 6000).tobytes()


def histogram(letters: bytes, name: str) -> Model:
    counts = np.bincount(np.frombuffer(letters, np.uint8), minlength=256) * 1000
    return Model(BytesTokenizer(), HistogramPrior(256, counts), name=name)


OURS, OTHER = histogram(b"abc\n", "ours"), histogram(b"abc\nd", "other")


def frame(model: Model, source: bytes) -> bytes:
    out = io.BytesIO()
    coded = encoded_frame.encode(model, source, Options(), lambda done: None)
    pipeline.MemberWriter(out).write(coded, source, last=True)
    return out.getvalue()


# --- keeping going


def test_keep_going_past_a_model_that_is_not_here():
    parts = [DATA[:1000], DATA[1000:2000], DATA[2000:3000]]
    frames = [frame(OURS, parts[0]), frame(OTHER, parts[1]), frame(OURS, parts[2])]
    file = b"".join(frames)
    summary = decompress_stream(io.BytesIO(file), out := io.BytesIO(), [OURS], keep_going=True)
    assert out.getvalue() == parts[0] + parts[2] and len(summary.frames) == 2
    (hole,) = summary.damaged
    assert (hole.offset, hole.length) == (len(frames[0]), len(frames[1]))
    assert hole.reason.startswith(f"frame 2 (at byte {hole.offset:,}): made with model {OTHER.id.hex()}")
    with pytest.raises(ModelMismatchError):
        decompress_stream(io.BytesIO(file), io.BytesIO(), [OURS])


def test_a_hole_is_the_whole_frame_whatever_is_wrong_with_it():
    """Damage and a decoder gone wrong leave holes of the same extent: header and payload."""
    source, at = DATA[:1000], len(frame(OURS, DATA[:500]))
    good = frame(OURS, source)
    ((header, payload),) = [(h, p.read()) for h, p in iter_frames(io.BytesIO(good))]
    write_frame(lying := io.BytesIO(), FrameHeader(**vars(header) | {"source_crc": 1}), payload)
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    for bad in (lying.getvalue(), flipped, frame(OTHER, source)):
        file = frame(OURS, DATA[:500]) + bad + good
        items = list(restored(io.BytesIO(file), Decoding([OURS]), keep_going=True))
        (hole,) = [item for item in items if isinstance(item, Damaged)]
        assert (hole.offset, hole.length) == (at, len(bad))
        assert b"".join(i[1] for i in items if not isinstance(i, Damaged)) == DATA[:500] + source


def test_the_models_swapped_under_one_id():
    """Two models whose ids collide: the source's checksum tells, and nothing is passed on."""
    file = frame(OURS, DATA[:1000])
    other, out = Model(OTHER.tokenizer, OTHER.prior, OURS.id), io.BytesIO()
    with pytest.raises(ChecksumError, match="frame 1 "):
        decompress_stream(io.BytesIO(file), out, [other])
    assert out.getvalue() == b""


class EndsEarly(io.BytesIO):
    """A file that is truncated and written again: in one of the passes over it, it ends early."""

    def __init__(self, source, short):
        super().__init__(source)
        self.passes, self.short, self.length = 0, short, len(source)

    def read(self, size=-1):
        self.passes += self.tell() == 0
        left = self.length - 65_536 * (self.passes == self.short) - self.tell()
        return super().read(max(0, min(size, left)))


@pytest.mark.parametrize("short", range(3))
def test_a_source_that_is_short_in_one_pass(short):
    """What a pass wrote is no part of what the next one writes. The file holds what one of the passes saw."""
    source = (
        np.random.default_rng(1).bytes(1 << 14) * 256
    )  # so often that lzma may do alone: it is tried before the frames
    compress_stream(file := EndsEarly(source, short), out := io.BytesIO(), Options(effort="fast", frame_size=1 << 16))
    decompress_stream(io.BytesIO(out.getvalue()), back := io.BytesIO())
    assert back.getvalue() in (source, source[:-65_536]) and file.passes >= max(short, 2)


# --- progress


def test_progress_within_frames_both_ways():
    options = Options(models=[OURS], frame_size=3000, lanes=4, report=(heard := []).append)
    compress_stream(io.BytesIO(DATA), out := io.BytesIO(), options)
    decompress_stream(io.BytesIO(out.getvalue()), io.BytesIO(), [OURS], report=(told := []).append)
    for done, begin in (
        (heard, int(pipeline.QUICK_SHARE * 6000)),
        (told, 0),
    ):  # the quick lzma of all of it comes first
        half = (begin + 6000) // 2
        assert done == sorted(done) and done[-1] == len(DATA) and begin in [0, *done]
        assert {begin < n < half for n in done} == {half < n < 6000 for n in done} == {True, False}


class Pairs(Tokenizer):
    """Two letters of four at a time: 16 symbols."""

    name, vocab_size, sizes = "pairs", 16, EachToken([2] * 16)

    def encode(self, source):
        letters = np.searchsorted(np.sort(LETTERS), np.frombuffer(source, np.uint8)).reshape(-1, 2)
        return (4 * letters[:, 0] + letters[:, 1]).astype(np.int32)

    def decode(self, tokens):
        return np.sort(LETTERS)[np.stack([tokens // 4, tokens % 4], 1)].tobytes()

    @classmethod
    def load(cls, folder, config):
        return cls()


def test_progress_of_tokens_of_several_bytes_counts_bytes():
    model = Model(Pairs(), HistogramPrior(16), id=b"pair")
    options = Options(models=[model], lanes=2, report=(heard := []).append)
    compress_stream(io.BytesIO(DATA), out := io.BytesIO(), options)
    decompress_stream(io.BytesIO(out.getvalue()), back := io.BytesIO(), [model], report=(told := []).append)
    assert back.getvalue() == DATA
    for done in (heard, told):
        assert done == sorted(done) and done[-1] == len(DATA) and max(np.diff(done)) < len(DATA) / 4


# --- the output


@pytest.mark.parametrize("mode", ["ab", "r+b", "wb"])
def test_what_the_output_holds_stays(tmp_path, mode):
    """Even where lzma over the whole source wins in the end, nothing is cut off: neither before nor behind."""
    path = tmp_path / "out"
    path.write_bytes(b"before" + bytes(100_000))
    block = random.Random(3).randbytes(2000)
    with open(path, mode) as out:
        if mode == "r+b":
            out.seek(6)
        start = out.tell()
        summary = compress_stream(io.BytesIO(block * 20), out, Options(models=[OURS], frame_size=3000))
        assert [f.stored for f in summary.frames] == ["lzma"] and out.tell() == start + summary.file_bytes
    data = path.read_bytes()
    assert tokpress.decompress(data[start : start + summary.file_bytes]) == block * 20
    if mode != "wb":
        assert data.startswith(b"before") and len(data) >= 100_006


class Pipe(io.RawIOBase):
    """An output that can only be written to."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


def test_never_larger_than_xz_through_a_pipe_either():
    block = random.Random(4).randbytes(5000)
    source = block * 8
    compress_stream(io.BytesIO(source), out := Pipe(), Options(models=[OURS], frame_size=6000))
    assert len(out.data) <= len(lzma.compress(source, preset=9 | lzma.PRESET_EXTREME)) + 64
    assert tokpress.decompress(bytes(out.data)) == source


def test_a_source_that_grows_meanwhile(tmp_path):
    """What was there is compressed, and what came while we looked, too."""
    path = tmp_path / "log"
    path.write_bytes(DATA)

    class Growing(io.FileIO):
        def seek(self, offset, whence=0):
            found = super().seek(offset, whence)
            if whence == io.SEEK_END:
                with open(path, "ab") as file:
                    file.write(DATA[:500])
            return found

    with Growing(path) as source:
        compress_stream(source, out := io.BytesIO(), Options(models=[OURS], frame_size=1000))
    assert tokpress.decompress(out.getvalue(), models=[OURS]) == path.read_bytes()


@pytest.mark.parametrize("models", [None, ["context-mixing"], ["ours", "other"]], ids=str)
@pytest.mark.parametrize("more", [-1, 0, 1, 50_000])
def test_sources_that_no_trial_shrinks(models, more):
    """Beyond TRIAL_SIZE only a part is tried: its payload must never be taken for that of the whole."""
    source = np.random.default_rng(8).bytes(selection.TRIAL_SIZE + more)
    named = {"ours": OURS, "other": OTHER, "context-mixing": "context-mixing"}
    chosen = None if models is None else [tokpress.load(named[name]) for name in models]
    compress_stream(io.BytesIO(source), out := io.BytesIO(), Options(models=chosen))
    assert tokpress.decompress(out.getvalue(), models=chosen) == source and len(out.getvalue()) < len(source) + 28


def test_a_part_that_shrinks_less_than_the_whole():
    """Noise and letters in turn: whatever the trial makes of its pieces, all of it comes back."""
    noise = np.random.default_rng(9).bytes(selection.TRIAL_SIZE)
    for source in (DATA * 30 + noise + DATA * 30, noise + DATA * 60 + noise):
        compress_stream(io.BytesIO(source), out := io.BytesIO(), Options(models=[OURS, OTHER]))
        assert tokpress.decompress(out.getvalue(), models=[OURS, OTHER]) == source


def test_a_frame_is_not_written_for_another_source():
    coded = encoded_frame.encode(OURS, DATA[:500], Options(), lambda done: None)
    with pytest.raises(ValueError, match="500 bytes"):
        pipeline.MemberWriter(out := io.BytesIO()).write(coded, DATA[:600], last=True)
    assert out.getvalue() == b""


# --- time and memory


def test_lzma_of_a_large_source_can_be_interrupted():
    """One call for all of it would hold back Ctrl-C until it is over: a signal that comes in one piece ends it there."""
    source = random.Random(5).randbytes(1 << 22)
    seen = []

    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    class Counted(LzmaEncoder):
        def compress(self, piece):
            seen.append(len(piece))
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGUSR1)
            return super().compress(piece)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stop):
            Packing(source, encoder=Counted).go_on()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 2 and sum(seen) <= len(source) / 8


def lie(file: bytes, **lies) -> bytes:
    """The first frame with other header fields and a check that holds."""
    header, payload = next((h, p.read()) for h, p in iter_frames(io.BytesIO(file)))
    fields = vars(header) | {"digest": bytes(8)} | lies
    if fields["source_length"] < DIGEST_FROM:
        fields["digest"] = b""
    write_frame(out := io.BytesIO(), FrameHeader(**fields), payload)
    return out.getvalue()


@pytest.mark.parametrize("name", ["ours", "context-mixing"])
@pytest.mark.parametrize("lanes", [None, 1, 512])
def test_huge_lengths_with_good_checks_are_found_out_early(name, lanes):
    """A header that promises 64 MiB out of a few bytes: neither its memory nor its time is spent."""
    model = OURS if name == "ours" else tokpress.load("context-mixing")
    file = frame(model, DATA[:2000])
    most = 1 << 26
    lies = [
        {"source_length": most, "tokens": 2 * most},
        {"source_length": most, "tokens": most},
        {"source_length": most},
        {"tokens": 1},
        {"source_length": most, "tokens": 2 * most, "source_crc": zlib.crc32(bytes(most))},
    ]
    tracemalloc.start()
    try:
        for each in lies:
            if each.get("tokens", 2000) < (lanes or 1):
                continue
            with pytest.raises(FormatError, match=r"^frame 1 "):
                tokpress.decompress(lie(file, lanes=lanes, **each), models=[model])
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()


def test_a_payload_of_nothing_for_a_huge_source():
    huge: dict = {"source_length": 1 << 26, "payload_length": 0, "tokens": 1 << 26}
    with pytest.raises(FormatError, match="impossible header"):
        FrameHeader(kind=Kind.MODEL, source_crc=0, model_id=OURS.id, **huge)
    most = {
        "source_length": 1 << 16,
        "tokens": 1 << 16,
        "digest": bytes(8),
    }  # what a header may say of no bytes, and a prior may not
    file = lie(frame(OURS, b"x" * 40), **most)
    header = FrameHeader(kind=Kind.MODEL, source_crc=0, model_id=OURS.id, payload_length=0, **most)
    write_frame(out := io.BytesIO(), header, b"")
    for each in (file, out.getvalue()):
        with pytest.raises(ChecksumError, match=r"does not hold|the coded words are damaged"):
            tokpress.decompress(each, models=[OURS])


@pytest.mark.parametrize("lanes", [0, -1, 513])
def test_lanes_that_cannot_be(lanes):
    with pytest.raises(ValueError, match="lanes must be 1"):
        tokpress.compress(DATA, OURS, lanes=lanes)


@pytest.mark.parametrize("data", [None, "text", 7])
def test_what_is_not_bytes(data):
    for call in (tokpress.compress, tokpress.decompress):
        with pytest.raises(TypeError):
            call(data)


def test_other_kinds_of_bytes():
    for kind in (bytearray, memoryview):
        assert tokpress.decompress(kind(tokpress.compress(kind(DATA), OURS)), models=[OURS]) == DATA


class LongTokens(BytesTokenizer):
    """Half of the tokens stand for two bytes."""

    decode = None
    sizes = EachToken([byte % 2 + 1 for byte in range(256)])


def test_tokens_of_another_length_are_found_before_their_bytes_are_made():
    """Many long tokens in a small payload would fill the memory."""
    data = frame(OURS, DATA)
    with pytest.raises(ChecksumError, match="make more than 6,000 bytes"):
        tokpress.decompress(data, models=[Model(LongTokens(), OURS.prior, OURS.id)])


def test_a_sample_of_less_than_nothing():
    with pytest.raises(ValueError, match="0 or more"):
        OURS.sample(-1)


def test_an_effort_goes_with_the_shipped_models():
    with pytest.raises(ValueError, match="effort must be fast, default, best"):
        Options(effort="slow")
    with pytest.raises(ValueError, match="does not go with models"):
        Options([OURS], effort="best")


def test_a_list_of_no_models_means_none():
    source = b"what no model is to see: " + bytes(range(97, 123)) * 3
    summary = compress_stream(io.BytesIO(source), io.BytesIO(), Options(models=[]))
    assert {frame.stored for frame in summary.frames} <= {"lzma", "raw"}


# --- items


@pytest.mark.parametrize("header", [0, 5, 80])
@pytest.mark.parametrize("size", [100, 64])
def test_no_item_is_cut_in_two(header, size):
    """A header goes into the first frame, and every frame ends where an item ends."""
    model = tiny_models()["made"]  # items of 20 bits; 5 bytes hold two
    source = np.random.default_rng(0).bytes(header + 333 * 5)
    out = io.BytesIO()
    pipeline._compress_frames(io.BytesIO(source), out, Options([model], frame_size=size))
    lengths = [item[0].source_length for item in iter_frames(io.BytesIO(out.getvalue()))]
    assert lengths[0] % 5 == header % 5 and not any(length % 5 for length in lengths[1:])
    assert max(lengths[1:]) <= size // 4 and sum(lengths) == len(source)
    assert tokpress.decompress(out.getvalue(), models=[model]) == source


def test_items_of_a_pipe_are_as_good_as_bytes():
    model = tiny_models()["pixelcnn"]
    source = np.random.default_rng(0).bytes(1000)
    stream = io.BytesIO(source)
    stream.seekable = lambda: False  # type: ignore[method-assign]
    compress_stream(stream, out := io.BytesIO(), Options([model], frame_size=200))
    assert tokpress.decompress(out.getvalue(), models=[model]) == source
