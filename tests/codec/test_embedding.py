"""Files that hold their models stand alone."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tokpress.codec import archive
from tokpress.codec.options import Options
from tokpress.codec.stream import Summary, compress_stream, decompress_stream
from tokpress.container.frames import FrameHeader, Kind, write_frame
from tokpress.container.index import iter_headers, pack_index
from tokpress.container.member import iter_frames
from tokpress.errors import FormatError, ModelMismatchError
from tokpress.models import embedded
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

LETTERS = np.frombuffer(b"abc\n", np.uint8)
DATA = np.random.default_rng(0).choice(LETTERS, 200_000).tobytes()
OURS = Model(BytesTokenizer(), HistogramPrior(256, np.bincount(LETTERS, minlength=256) * 1000), name="ours")


def packed(**settings) -> bytes:
    settings = {"models": [OURS], "embed": True} | settings
    compress_stream(io.BytesIO(DATA), out := io.BytesIO(), Options(**settings))
    return out.getvalue()


FILE = packed(frame_size=70_000)


def test_the_model_stands_once_before_the_frames():
    kinds = [header.kind for header, _ in iter_frames(io.BytesIO(FILE))]
    assert kinds[0] == Kind.WEIGHTS and set(kinds[1:]) == {Kind.MODEL} and len(kinds) > 2
    with pytest.raises(ModelMismatchError):
        tokpress.decompress(packed(embed=False))


def pieces(file: bytes) -> bytes:
    """By a decompressor that gets a few bytes at a time."""
    one, got = tokpress.TokpressDecompressor(), b""
    for at in range(0, len(file), 999):
        got += one.decompress(file[at : at + 999])
    assert one.eof
    return got


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


READERS = {
    "decompress": tokpress.decompress,
    "open": lambda file: tokpress.open(io.BytesIO(file)).read(),
    "pipe": lambda file: tokpress.open(Pipe(file)).read(),
    "pieces": pieces,
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_finds_the_model_in_the_file(name):
    assert READERS[name](FILE) == DATA
    assert READERS[name](packed()) == DATA


def test_writers():
    assert tokpress.decompress(tokpress.compress(DATA, OURS, embed=True)) == DATA
    with tokpress.open(out := io.BytesIO(), "wb", model=OURS, embed=True) as file:
        file.write(DATA)
    assert tokpress.decompress(out.getvalue()) == DATA
    one = tokpress.TokpressCompressor(model=OURS, embed=True)
    assert tokpress.decompress(one.compress(DATA) + one.flush()) == DATA


def test_seeking_and_joining():
    with tokpress.open(io.BytesIO(FILE + FILE)) as file:
        assert file.seek(len(DATA) + 4000) and file.read(50) == DATA[4000:4050]
        assert file.seek(10) and file.read(50) == DATA[10:60]
    assert tokpress.decompress(FILE + packed(embed=False)) == 2 * DATA, "a model serves for all frames after it"


def test_an_index_of_a_file_with_models():
    index = io.BytesIO(pack_index(iter_headers(io.BytesIO(FILE + FILE))))
    with tokpress.open(io.BytesIO(FILE + FILE), index=index) as file:
        assert file.seek(len(DATA) + 4000) and file.read(50) == DATA[4000:4050]


def test_an_archive_that_stands_alone():
    archive.write([("a", DATA), ("b/c", DATA[:99])], out := io.BytesIO(), Options([OURS], embed=True))
    opened = archive.Archive(out)
    assert opened.read("a") == DATA and opened.read("b/c") == DATA[:99]


def test_a_shipped_model_without_weights_is_not_embedded():
    assert tokpress.compress(DATA, "context-mixing", embed=True) == tokpress.compress(DATA, "context-mixing")


def test_a_model_of_ones_own_is_embedded_also_if_it_is_nothing_but_settings():
    counts = Model(BytesTokenizer(), HistogramPrior(256))
    digits = np.random.default_rng(1).choice(np.frombuffer(b"0123456789", np.uint8), 20_000).tobytes()
    packed = tokpress.compress(digits, counts, embed=True)
    assert Kind.MODEL in {header.kind for header, _ in iter_frames(io.BytesIO(packed))}
    assert tokpress.decompress(packed) == digits


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_cut_after_its_model_is_refused(name):
    _, second, *_ = [header.offset for header, _ in iter_frames(io.BytesIO(FILE))]
    if name == "pieces":
        one = tokpress.TokpressDecompressor()
        assert one.decompress(FILE[:second]) == b"" and not one.eof
        return
    for file in (FILE[:second], tokpress.compress(b"before", "context-mixing") + FILE[:second]):
        with pytest.raises(FormatError, match="truncated"):
            READERS[name](file)


def test_sizes_are_those_of_the_whole_file():
    summary = compress_stream(io.BytesIO(DATA), out := io.BytesIO(), Options([OURS], embed=True))
    assert isinstance(summary, Summary) and summary.file_bytes == len(out.getvalue())
    back = decompress_stream(io.BytesIO(out.getvalue()), io.BytesIO())
    assert back.file_bytes == len(out.getvalue()) and back.source_bytes == len(DATA)


def with_payload(payload: bytes, id: bytes = OURS.id) -> bytes:
    """A file whose embedded model is `payload`, with checks that hold."""
    header = FrameHeader(kind=Kind.WEIGHTS, source_length=0, payload_length=len(payload), model_id=id)
    write_frame(out := io.BytesIO(), header, payload)
    return out.getvalue() + packed(embed=False)


OTHER = embedded.pack(Model(BytesTokenizer(), HistogramPrior(256, np.arange(256))))


@pytest.mark.parametrize(
    "payload", [b"", b"\x0b", embedded.pack(OURS)[:-1], embedded.pack(OURS) * 2, OTHER, b"\x01a\x00"]
)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_model_is_refused(name, payload):
    with pytest.raises(FormatError, match="embedded model"):
        READERS[name](with_payload(payload))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_bytes_never_give_wrong_ones(data):
    """With a check that holds: the id is a hash of the model. (Another space in its JSON changes nothing.)"""
    payload = bytearray(embedded.pack(OURS))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert tokpress.decompress(with_payload(bytes(payload))) == DATA
    except FormatError as error:
        assert "embedded model" in str(error)


def test_around_a_damaged_model():
    """Frames that need it are lost, and the others come back."""
    whole = packed() + tokpress.compress(b"what needs no model", "context-mixing")
    damaged = whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]
    summary = decompress_stream(io.BytesIO(damaged), out := io.BytesIO(), keep_going=True)
    assert out.getvalue() == b"what needs no model" and len(summary.damaged) == 2
    refused = with_payload(b"\x01a\x00") + tokpress.compress(b"what needs no model", "context-mixing")
    decompress_stream(io.BytesIO(refused), out := io.BytesIO(), keep_going=True)
    assert out.getvalue() == b"what needs no model"


@pytest.mark.parametrize(
    "lie", [{"source_length": 1}, {"last": False}, {"tokens": 1}, {"model_id": None}, {"lanes": 1}]
)
def test_headers_that_cannot_be(lie):
    fields = {"kind": Kind.WEIGHTS, "source_length": 0, "payload_length": 9, "model_id": OURS.id}
    with pytest.raises(FormatError, match="impossible header"):
        FrameHeader(**(fields | lie))
