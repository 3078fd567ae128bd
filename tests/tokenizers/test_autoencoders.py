"""Discrete autoencoders, with random weights: what they store comes back, whatever its size, and broken ones say so."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding import common as coding
from tests.models import tiny_autoencoder, tiny_autoencoders
from tokpress.cli import costs
from tokpress.codec import residual, stream
from tokpress.container.frames import read_header
from tokpress.errors import ChecksumError, TokenizerError, TokpressError
from tokpress.media.grid import Grid
from tokpress.models import store
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.registry import TOKENIZERS

SMALL = {"width": 8, "depth": 1}
KINDS = {
    "vq": {**SMALL, "shape": "8x8x3", "codes": 32, "dim": 4},
    "fsq": {**SMALL, "shape": "8x8x3", "levels": "4,3,2"},
    "lfq": {**SMALL, "shape": "8x8", "codes": 64},
    "gumbel": {**SMALL, "shape": "8x8x3", "codes": 16, "dim": 4},
    "audio_rvq": {**SMALL, "shape": "64", "down": 8, "codes": 16, "dim": 4, "levels": 3},
}


def samples(name: str, items: int = 3, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(items * tiny_autoencoder(name, KINDS[name]).sizes.unit_bytes)


@pytest.fixture(params=KINDS)
def tokenizer(request):
    return tiny_autoencoder(request.param, KINDS[request.param])


def test_items_do_not_depend_on_each_other(tokenizer):
    source = samples(tokenizer.name, 5)
    tokens = tokenizer.encode(source)
    assert tokens.dtype == np.int32 and len(tokens) == 5 * tokenizer.sizes.unit_tokens
    assert len(np.unique(tokens)) > 1
    restored = tokenizer.decode(tokens)
    assert len(restored) == len(source) == tokenizer.sizes.source_length(tokens)
    size, count = tokenizer.sizes.unit_bytes, tokenizer.sizes.unit_tokens
    for i in range(5):
        assert np.array_equal(
            tokenizer.encode(source[i * size : i * size + size]), tokens[i * count : i * count + count]
        )
        assert tokenizer.decode(tokens[i * count : i * count + count]) == restored[i * size : i * size + size]
    assert len(tokenizer.encode(b"")) == 0 and tokenizer.decode(np.zeros(0, np.int32)) == b""


def test_every_code_is_a_code(tokenizer):
    levels = KINDS[tokenizer.name].get("levels", 1) if tokenizer.name == "audio_rvq" else 1
    every = np.repeat(np.arange(tokenizer.vocab_size)[:, None], levels, 1)
    codes = tokenizer.codes(every)
    assert codes.shape == (tokenizer.vocab_size, tokenizer.code_dim()) and codes.dtype == np.float32
    if tokenizer.name in ("fsq", "lfq"):  # lattices: a code's own z is near it
        z = np.arctanh(np.clip(codes, -0.99, 0.99)) if tokenizer.name == "fsq" else codes
        assert np.array_equal(tokenizer.indices(z), every.reshape(-1))
        assert len(np.unique(codes, axis=0)) == tokenizer.vocab_size


def test_saved_and_loaded(tokenizer, tmp_path):
    model = Model(tokenizer, HistogramPrior(tokenizer.vocab_size))
    model.save(tmp_path / "m")
    again = load_folder(tmp_path / "m")
    source = samples(tokenizer.name)
    tokens = tokenizer.encode(source)
    assert again.id == model.id and np.array_equal(again.tokenizer.encode(source), tokens)
    assert again.tokenizer.decode(tokens) == tokenizer.decode(tokens)
    path = tmp_path / "m" / "tokenizer.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + b"\x0f\x0f\x0f")
    assert load_folder(tmp_path / "m").id != model.id  # its weights are a part of what a model is
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TokpressError, match=r"tokenizer\.safetensors"):
        load_folder(tmp_path / "m")
    path.unlink()
    with pytest.raises(TokpressError, match=r"tokenizer\.safetensors"):
        load_folder(tmp_path / "m")


def test_what_is_no_item(tokenizer):
    with pytest.raises(TokenizerError, match="whole number of items"):
        tokenizer.encode(bytes(tokenizer.sizes.unit_bytes + 1))
    with pytest.raises(TokenizerError, match="whole number of items"):
        tokenizer.decode(np.zeros(tokenizer.sizes.unit_tokens + 1, np.int32))
    with pytest.raises(TokenizerError, match="outside"):
        tokenizer.decode(np.full(tokenizer.sizes.unit_tokens, tokenizer.vocab_size, np.int32))


@pytest.mark.parametrize(
    ("kind", "bad"),
    [("vq", {"down": 3}), ("vq", {"shape": "9x8x3"}), ("vq", {"shape": "8"}), ("vq", {"codes": 1}), ("vq", {"codes": 65537}),
     ("vq", {"shape": "8x8x3x2"}), ("vq", {"shape": "65536x65536"}), ("fsq", {"levels": "8,x"}), ("fsq", {"levels": "1,2"}),
     ("fsq", {"levels": "300,300"}), ("lfq", {"codes": 48}), ("vq", {"colour": 1}), ("vq", {"depth": 10**6})],
)  # fmt: skip
def test_settings_that_cannot_be(kind, bad):
    with pytest.raises(TokpressError):
        TOKENIZERS.find(kind)({**KINDS[kind], **bad}, {})


PICTURES, SOUND = tiny_autoencoder("vq", KINDS["vq"]), tiny_autoencoder("audio_rvq", KINDS["audio_rvq"])


@given(rows=st.integers(1, 20), columns=st.integers(1, 20), seed=st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_pictures_of_any_size(rows, columns, seed):
    pixels = np.random.default_rng(seed).bytes(rows * columns * 3)
    source = f"P6 {columns} {rows} 255\n".encode() + pixels + b"behind"
    model = Model(PICTURES, HistogramPrior(32), name="pictures")
    out = io.BytesIO()
    summary = stream.compress_stream(io.BytesIO(source), out, stream.Options([model], lossy=True))
    restored = stream.decompress(out.getvalue(), model=model)
    assert len(restored) == len(source) and restored[:9] == source[:9] and restored.endswith(b"behind")
    error = ((np.frombuffer(source, np.uint8).astype(int) - np.frombuffer(restored, np.uint8)) ** 2).sum()
    assert summary.distortion.error == error and "PSNR" in str(summary.distortion)
    tiled = PICTURES.tiled(Grid(True, 0, rows, columns, 3, 8))
    tokens = tiled.encode(pixels)
    assert np.array_equal(tiled.encode(tiled.decode(tokens)), tiled.encode(tiled.decode(tokens)))
    by_model = "pictures" in [frame.stored for frame in summary.frames]
    assert restored[-6 - len(pixels) : -6] == (tiled.decode(tokens) if by_model else pixels)
    assert by_model or rows * columns < 64  # a few pixels are stored as they are


@given(length=st.integers(1, 300), seed=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_sound_of_any_length(length, seed):
    sound = np.random.default_rng(seed).bytes(2 * length)
    head = (
        b"RIFF"
        + (36 + len(sound)).to_bytes(4, "little")
        + b"WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data"
    )
    source = head + len(sound).to_bytes(4, "little") + sound
    model = Model(SOUND, HistogramPrior(16), name="sound")
    out = io.BytesIO()
    summary = stream.compress_stream(io.BytesIO(source), out, stream.Options([model], lossy=True))
    restored = stream.decompress(out.getvalue(), model=model)
    assert restored[:44] == source[:44] and len(restored) == len(source) and "SNR" in str(summary.distortion)
    s, made = (np.frombuffer(each[44:], "<i2").astype(int) for each in (source, restored))
    assert summary.distortion.error == ((s - made) ** 2).sum() and summary.distortion.signal == (s * s).sum()


@pytest.mark.parametrize(
    "source", [b"P5 8 8 255\n" + bytes(64), b"P6 8 8 65535\n" + bytes(384), b"P6 8 8 255\n" + bytes(90), bytes(100)]
)
def test_samples_of_another_kind_are_refused(source):
    model = Model(PICTURES, HistogramPrior(32), name="pictures")
    with pytest.raises(TokpressError):
        stream.compress_stream(io.BytesIO(source), io.BytesIO(), stream.Options([model], lossy=True))


def test_payloads_that_lie():
    """What stands before the tokens says how large a picture is: nothing is believed that does not fit."""
    model = Model(PICTURES, HistogramPrior(32))
    grid = Grid(True, 0, 9, 10, 3, 8)
    source = np.random.default_rng(0).bytes(270)
    payload, tokens, lanes = model.encode(source, grid=grid)
    assert model.decode(payload, tokens, lanes, length=270) == PICTURES.tiled(grid).decode(
        PICTURES.tiled(grid).encode(source)
    )
    refused = believed = 0
    for at in range(1 + payload[0]):
        for bit in range(8):
            wrong = bytearray(payload)
            wrong[at] ^= 1 << bit
            try:  # what says the same in other words, or another picture as large, is for the checksum to find
                assert len(model.decode(bytes(wrong), tokens, lanes, length=270)) == 270
                believed += 1
            except ChecksumError:
                refused += 1
    assert refused > believed > 0
    for length in (269, 271, 10**9):
        with pytest.raises(ChecksumError):
            model.decode(payload, tokens, lanes, length=length)
    with pytest.raises(ChecksumError):
        model.decode(b"", tokens, lanes, length=270)


def test_raw_items_come_in_frames():
    model = Model(PICTURES, HistogramPrior(32), name="pictures")
    source = samples("vq", 7)
    out = io.BytesIO()
    stream.compress_stream(io.BytesIO(source), out, stream.Options([model], lossy=True, frame_size=400))
    assert stream.decompress(out.getvalue(), model=model) == PICTURES.decode(PICTURES.encode(source))
    assert read_header(io.BytesIO(out.getvalue())).source_length == 384  # two items, not 400 bytes


# ── lossless: the tokens, and what their reconstruction lacks ──────────────────────────────────────


def wav(sound: bytes) -> bytes:
    head = (
        b"RIFF"
        + (36 + len(sound)).to_bytes(4, "little")
        + b"WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data"
    )
    return head + len(sound).to_bytes(4, "little") + sound


def gradient(rows: int, columns: int) -> bytes:
    return np.add.outer(np.arange(rows), np.arange(columns))[..., None].repeat(3, 2).astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (Model(PICTURES, HistogramPrior(32), name="m"), b"P6 30 40 255\n" + gradient(40, 30) + b"behind"),
        (Model(PICTURES, HistogramPrior(32), name="m"), gradient(8000, 8)),  # raw items
        (Model(SOUND, HistogramPrior(16), name="m"), wav(np.arange(900, dtype="<i2").tobytes())),
    ],
)
def test_without_lossy_nothing_is_lost(model, source):
    out = io.BytesIO()
    summary = stream.compress_stream(io.BytesIO(source), out, stream.Options([model]))
    assert "m" in [frame.stored for frame in summary.frames] and summary.distortion is None
    coded = out.getvalue()
    assert len(coded) < len(source) and stream.decompress(coded, model=model) == source
    for at in np.random.default_rng(0).integers(len(coded), size=40):
        wrong = bytearray(coded)
        wrong[at] ^= 1 << at % 8
        with pytest.raises(TokpressError):
            stream.decompress(bytes(wrong), model=model)


@pytest.mark.parametrize(
    "source", [b"text " * 50, b"", b"P5 8 8 255\n" + bytes(64), b"P6 8 8 255\n" + bytes(90), bytes(100)]
)
def test_what_the_tokenizer_is_not_for_is_stored_otherwise(source):
    model = Model(PICTURES, HistogramPrior(32), name="m")
    out = io.BytesIO()
    summary = stream.compress_stream(io.BytesIO(source), out, stream.Options([model]))
    assert "m" not in [frame.stored for frame in summary.frames]
    assert stream.decompress(out.getvalue(), model=model) == source


@pytest.mark.parametrize("source", [b"P6 30 40 255\n" + gradient(40, 30), b"text " * 50])
def test_a_tokenizer_of_video_takes_no_picture(source):
    """It was an error even where nothing was to be lost."""
    model = tiny_autoencoders()["video_lfq"]
    out = io.BytesIO()
    stream.compress_stream(io.BytesIO(source), out, stream.Options([model]))
    assert stream.decompress(out.getvalue(), model=model) == source


def test_bits_of_a_picture():
    """Those of its tokens, by items; what stands around it is not counted."""
    model, pixels = Model(PICTURES, HistogramPrior(32), name="m"), gradient(40, 30)
    bits = model.score(b"P6 30 40 255\n" + pixels)
    assert bits.source_bytes == len(pixels) and len(bits.bits) == 5 * 4
    tokens = PICTURES.tiled(Grid(True, 0, 40, 30, 3, 8)).encode(pixels)
    assert bits.total_bits == pytest.approx(coding.score(model.prior, tokens, 1).sum())
    assert bits.tokens == len(tokens) == 5 * 4 * PICTURES.sizes.unit_tokens
    (row,) = costs.by_file([(pixels, bits)])
    assert row["tokens"] == len(tokens) and row["bits_per_token"] == pytest.approx(bits.total_bits / len(tokens))


def test_a_rest_that_is_cut_off():
    model = Model(PICTURES, HistogramPrior(32))
    source = np.random.default_rng(0).bytes(192 * 4)
    codes_rest, silent = store.load("linear-prediction"), lambda share: None
    payload, tokens, lanes = residual.encode(model, codes_rest, source, None, silent, None)
    assert residual.decode(model, codes_rest, payload, tokens, lanes, silent, len(source)) == source
    for cut in (0, 1, 3, 5, 20):
        with pytest.raises(ChecksumError):
            residual.decode(model, codes_rest, payload[:cut], tokens, lanes, silent, len(source))
