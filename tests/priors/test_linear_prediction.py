"""Pixels and sound come back, whatever their kind; what is told of them beside the tokens is checked."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.codec import stream as pipeline
from tokpress.coding import Frame
from tokpress.container.frames import Kind
from tokpress.container.member import iter_frames
from tokpress.errors import ChecksumError
from tokpress.media import formats
from tokpress.media.grid import MAX_ROW, Grid, unpack
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.priors.context_mixing.prior import ContextMixingPrior
from tokpress.priors.linear_prediction.prior import LinearPredictionPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.tokens import as_array

MODEL = Model(BytesTokenizer(), LinearPredictionPrior())
DRAWINGS = Model(BytesTokenizer(), ContextMixingPrior(on_grid=True))
RNG = np.random.default_rng(0)


def waves(rows: int, columns: int, channels: int, bits: int, noise: float = 0.02) -> np.ndarray:
    """Something smooth, as integers of so many bits whose middle is zero."""
    r, c, k = np.ogrid[:rows, :columns, :channels]
    smooth = np.sin(r / 5 + k) + np.cos(c / 3 - r / 7) + RNG.normal(0, noise, (rows, columns, channels))
    return np.clip(np.round(smooth * 2.0 ** (bits - 3)), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1).astype(np.int64)


def file_of(grid: Grid, before: bytes, after: bytes) -> bytes:
    """A source with such samples."""
    values = waves(grid.rows, grid.columns, grid.channels, grid.bits)
    values = values if grid.signed else values + 2 ** (grid.bits - 1)
    size = grid.sample_bytes
    order = range(size) if grid.little else range(size - 1, -1, -1)
    raw = np.stack([values >> 8 * i & 255 for i in order], -1).astype(np.uint8).reshape(grid.rows, -1)
    rows = np.concatenate([raw, np.zeros((grid.rows, grid.padding), np.uint8)], 1)
    return before + rows.tobytes() + after


@st.composite
def sources(draw) -> tuple[bytes, Grid]:
    picture = draw(st.booleans())
    before = draw(st.binary(max_size=9))
    grid = Grid(
        picture, len(before), draw(st.integers(1, 9)) if picture else 1, draw(st.integers(1, 30)),
        draw(st.integers(1, 5)), draw(st.sampled_from([8, 16, 24, 32])), draw(st.booleans()), draw(st.booleans()),
        draw(st.integers(0, 3)) if picture else 0,
    )  # fmt: skip
    return file_of(grid, before, draw(st.binary(max_size=9))), grid


@settings(max_examples=60, deadline=None)
@given(sources())
def test_round_trip_on_any_grid(made):
    source, grid = made
    for model in (MODEL, DRAWINGS):
        payload, tokens, lanes = model.encode(source, 3, grid=grid)
        assert model.decode(payload, tokens, lanes) == source
    assert unpack(grid.pack(), len(source)) == grid
    rest, samples = grid.split(source)
    assert grid.join(rest, samples) == source


@settings(max_examples=20, deadline=None)
@given(sources(), st.sampled_from([MODEL, DRAWINGS]))
def test_a_codec_on_a_grid(made, model):
    """Decoding is heard in order and whole; the score is of each token in its place and adds up; noise is a sample."""
    source, grid = made
    tokens = model.tokenizer.encode(source)
    codec = model.prior.codec(Frame(len(tokens), grid=grid))
    payload, heard = codec.encode(tokens), []
    assert np.array_equal(codec.decode(payload, len(tokens), heard.append), tokens)
    assert np.array_equal(np.concatenate([as_array(each) for each in heard]), tokens)
    bits = codec.score(tokens)
    assert bits.shape == (len(tokens),) and abs(bits.sum() / 8 - len(payload)) < 12 + 0.01 * len(payload)
    assert np.array_equal(codec.sample(len(tokens), seed=1), codec.sample(len(tokens), seed=1))


def test_pictures_and_sound_are_smaller_than_without():
    context_mixing = store.load("context-mixing")
    for grid in (
        Grid(True, 15, 40, 60, 3, 8),
        Grid(True, 15, 40, 60, 1, 16),
        Grid(False, 44, 1, 4000, 2, 16, True, True),
        Grid(False, 44, 1, 4000, 1, 24, True, True),
    ):
        source = file_of(grid, bytes(grid.start), b"end")
        assert len(MODEL.encode(source, grid=grid)[0]) < 0.92 * len(context_mixing.encode(source)[0])


def test_drawings_are_smaller_still():
    """Few colours and repeated tiles: what stood in the same surroundings, and no guess."""
    tile = RNG.integers(0, 4, (8, 8))
    colours = RNG.integers(0, 256, (4, 3)).astype(np.uint8)
    pixels = colours[np.tile(tile, (6, 6))]
    pixels[RNG.random(pixels.shape[:2]) < 0.02] = colours[0]
    source = b"P6 48 48 255 " + pixels.tobytes()
    sizes = {
        name: len(store.load(name).encode(source)[0])
        for name in ("context-mixing-2d", "linear-prediction", "context-mixing")
    }
    assert sizes["context-mixing-2d"] < min(sizes["linear-prediction"], sizes["context-mixing"])
    (header,) = [header for header, _ in iter_frames(io.BytesIO(pipeline.compress(source)))]
    assert header.model_id == store.load("context-mixing-2d").id


def ppm(rows: int, columns: int) -> bytes:
    head = b"P6\n%d %d\n255\n" % (columns, rows)
    return file_of(Grid(True, len(head), rows, columns, 3, 8), head, b"")


def test_it_is_chosen_for_a_picture_and_nothing_else():
    picture = ppm(50, 60)
    compressed = pipeline.compress(picture)
    (header,) = [header for header, _ in iter_frames(io.BytesIO(compressed))]
    assert header.kind == Kind.MODEL and header.model_id == store.load("linear-prediction").id
    assert pipeline.decompress(compressed) == picture
    text = b"P6 is the name of a format, and this is a text. " * 20
    (header,) = [header for header, _ in iter_frames(io.BytesIO(pipeline.compress(text)))]
    assert header.model_id != store.load("linear-prediction").id


@pytest.mark.parametrize("seekable", [True, False])
def test_later_frames_know_it_too(seekable):
    """A header says of the whole file what lies where, also where the file is longer than a frame."""
    picture = ppm(60, 50)

    class Pipe(io.BytesIO):
        def seekable(self):
            return seekable

    out = io.BytesIO()
    summary = pipeline.compress_stream(Pipe(picture), out, pipeline.Options(frame_size=2000))
    assert len(summary.frames) > 3 and {frame.stored for frame in summary.frames} == {"linear-prediction"}
    assert pipeline.decompress(out.getvalue()) == picture
    with io.BytesIO() as stream:
        with pipeline_file(stream) as file:
            for at in range(0, len(picture), 700):
                file.write(picture[at : at + 700])
        assert pipeline.decompress(stream.getvalue()) == picture


def pipeline_file(stream):
    import tokpress

    return tokpress.open(stream, "wb", frame_size=2000)


def test_rows_too_long_for_a_picture_are_a_recording():
    np.save(out := io.BytesIO(), np.zeros((2, MAX_ROW + 1), np.uint8))
    grid = formats.grid_of(out.getvalue())
    assert grid is not None and not grid.picture and grid.samples == 2 * (MAX_ROW + 1)
    assert MODEL.decode(*MODEL.encode(out.getvalue())) == out.getvalue()


def odd_files() -> dict[str, bytes]:
    made = {"1x1": ppm(1, 1), "one row": ppm(1, 40), "one column": ppm(40, 1), "cut": ppm(20, 20)[:-7]}
    for width, channels in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)):
        with wave.open(out := io.BytesIO(), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(width)
            file.setframerate(8000)
            grid = Grid(False, 0, 1, 500, channels, 8 * width, width > 1, True)
            file.writeframes(file_of(grid, b"", b""))
        made[f"wav {width} {channels}"] = out.getvalue()
        made[f"wav {width} {channels} tail"] = out.getvalue() + b"LIST\x04\0\0\0abcd"
        made[f"wav {width} {channels} cut"] = out.getvalue()[:-3]
    made["streamed wav"] = made["wav 2 2"][:40] + b"\xff\xff\xff\xff" + made["wav 2 2"][44:]
    for dtype in ("|u1", "<u2", ">i4", "<f4", "<i8"):
        np.save(out := io.BytesIO(), waves(12, 13, 3, 8).astype(dtype))
        made[f"npy {dtype}"] = out.getvalue()
    made["idx"] = bytes([0, 0, 8, 3]) + struct.pack(">III", 4, 9, 9) + (waves(36, 9, 1, 8) + 128).astype("u1").tobytes()
    return made


@pytest.mark.parametrize("name", odd_files())
def test_odd_files_come_back(name):
    source = odd_files()[name]
    for model in (None, "linear-prediction", "context-mixing-2d"):
        assert pipeline.decompress(pipeline.compress(source, model=model)) == source


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "I;16"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_of_pillow_come_back(mode):
    Image = pytest.importorskip("PIL.Image")
    channels = {"RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    bits = 16 if mode == "I;16" else 8
    pixels = (waves(21, 33, channels, bits) + 2 ** (bits - 1)).astype("<u2" if bits == 16 else "u1")
    if mode == "I;16":
        picture = Image.fromarray(pixels[:, :, 0])
    else:
        picture = Image.frombytes(mode if mode != "P" else "L", (33, 21), pixels.tobytes())
        picture = picture.quantize(16) if mode == "P" else picture
    for kind in {"L": "PPM BMP TIFF", "RGB": "PPM BMP TIFF", "RGBA": "BMP TIFF", "CMYK": "TIFF", "P": "BMP TIFF PNG",
                 "I;16": "PPM TIFF PNG"}[mode].split():  # fmt: skip
        picture.save(out := io.BytesIO(), kind)
        source = out.getvalue()
        assert pipeline.decompress(pipeline.compress(source)) == source
        found = formats.grid_of(source)
        assert (found is None) == (kind == "PNG")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_is_told_beside_the_tokens_is_checked(data):
    """A broken description is an error, or leads to other bytes: never to a crash or to much memory."""
    grid = Grid(True, 3, 4, 5, 3, 8)
    source = file_of(grid, b"abc", b"d")
    payload, tokens, _ = MODEL.encode(source, grid=grid)
    broken = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, min(len(broken) - 1, 9)))] = data.draw(st.integers(0, 255))
    try:
        found = MODEL.decode(bytes(broken), tokens, length=len(source))
    except ChecksumError:
        assert broken != payload
    else:
        assert len(found) == len(source) and (found == source or broken != payload)


def test_hostile_descriptions():
    for packed in (b"", b"\x01", Grid(True, 0, 1 << 31, 1 << 31, 1, 8).pack(), Grid(True, 0, 9, 9, 3, 8).pack(),
                   Grid(True, 0, 1, 1, 9, 8).pack(), Grid(True, 0, 0, 1, 1, 8).pack(), b"\xff" + b"\x01" * 5,
                   b"\x00" + b"\x80" * 200):  # fmt: skip
        with pytest.raises(ChecksumError):
            unpack(packed, 200)
        payload = bytes([len(packed)]) + packed
        if packed:
            with pytest.raises(ChecksumError):
                MODEL.decode(payload, 400)
    with pytest.raises(ChecksumError, match="that length"):
        MODEL.decode(bytes([6]) + Grid(True, 0, 4, 4, 3, 8).pack() + b"abcd", 400, length=60)
    wide = Grid(True, 0, 1, MAX_ROW // 3 + 1, 3, 8)  # what is kept of four rows would be too much
    with pytest.raises(ChecksumError):
        unpack(wide.pack(), 1 << 28)
    with pytest.raises(ChecksumError):
        MODEL.decode(b"", 400)
    with pytest.raises(ChecksumError):
        MODEL.decode(b"\x20abc", 400)


@pytest.mark.parametrize("value", [0, 255, "ends"])
def test_flat_and_extreme_pictures(value):
    pixels = np.full((30, 40, 3), 0 if value == "ends" else value, np.uint8)
    if value == "ends":
        pixels[RNG.random(pixels.shape) < 0.5] = 255
    source = b"P6 40 30 255 " + pixels.tobytes()
    compressed = pipeline.compress(source, model="linear-prediction")
    assert pipeline.decompress(compressed) == source
    if value != "ends":
        assert len(compressed) < 64


def test_the_score_is_what_is_coded():
    source = ppm(30, 40)
    bits = MODEL.score(source)
    assert bits.source_bytes == len(source)
    payload = MODEL.encode(source)[0]
    stream = payload[1 + payload[0] :]  # behind the grid
    assert bits.total_bits / 8 == pytest.approx(len(stream), rel=0.01)
