"""A palette: nearest colours, k-means, and files that hold what it leaves of a picture."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.command import run
from tokpress.codec import stream
from tokpress.errors import TokenizerError, TokpressError
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.learned.codebook import nearest
from tokpress.tokenizers.pixels.palette import PaletteTokenizer
from tokpress.training.learners.registry import fit_tokenizer
from tokpress.training.options import TokenizerOptions

COLOURS = np.array([[0, 0, 0], [250, 10, 10], [10, 200, 30], [250, 250, 250]], np.uint8)
PALETTE = PaletteTokenizer(COLOURS)
MODEL = Model(PALETTE, HistogramPrior(4), name="four")


@given(st.binary(max_size=300))
def test_nearest_and_again(source):
    """Each pixel takes the colour of least distance; the reconstruction has the same tokens, and loses nothing more."""
    source = source[: len(source) // 3 * 3]
    tokens = PALETTE.encode(source)
    pixels = np.frombuffer(source, np.uint8).reshape(-1, 3).astype(int)
    distance = ((pixels[:, None] - COLOURS.astype(int)) ** 2).sum(2)
    assert np.array_equal(tokens, distance.argmin(1)) if len(pixels) else len(tokens) == 0
    again = PALETTE.decode(tokens)
    assert len(again) == len(source) and np.array_equal(PALETTE.encode(again), tokens)
    assert PALETTE.sizes.source_length(tokens) == len(source)


def test_fit_finds_the_colours(tmp_path):
    rng = np.random.default_rng(0)
    drawn = COLOURS[rng.integers(0, 4, 5000)].astype(int) + rng.integers(-3, 4, (5000, 3))
    (tmp_path / "pixels.raw").write_bytes(np.clip(drawn, 0, 255).astype(np.uint8).tobytes())
    told = []
    options = TokenizerOptions(4, [1.0], lambda done, total: told.append((done, total)))
    learned = fit_tokenizer(PaletteTokenizer, [tmp_path / "pixels.raw"], options)
    assert (
        learned.vocab_size == 4 and told[-1][0] <= told[-1][1] == 15000
    )  # bytes of the corpus, as the command line shows
    assert ((learned.colours[nearest(COLOURS, learned.colours)].astype(int) - COLOURS) ** 2).max() <= 4
    same = fit_tokenizer(PaletteTokenizer, [tmp_path / "pixels.raw"], TokenizerOptions(4, [1.0]))
    assert np.array_equal(same.colours, learned.colours)
    learned.save(tmp_path)
    assert np.array_equal(PaletteTokenizer.load(tmp_path, {}).colours, learned.colours)


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"colours": [[1, 2]]}', '{"colours": [[1, 2, 256], [0, 0, 0]]}', '{"colours": [[1, 2, 3], [1, 2, 3]]}',
             '{"colours": [[0.5, 2, 3], [1, 2, 3]]}', '{"colours": []}', '{"colours": [[1, 2, 3], [1, 2]]}'],
)  # fmt: skip
def test_broken_palettes(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(TokenizerError):
        PaletteTokenizer.load(tmp_path, {})


def picture(pixels: bytes) -> bytes:
    return b"P6 10 20 255 " + pixels + b"something behind"


def test_lossy_files_restore_the_reconstruction(tmp_path):
    MODEL.save(tmp_path / "four")
    model = load_folder(tmp_path / "four")
    pixels = np.random.default_rng(1).bytes(600)
    left = PALETTE.decode(PALETTE.encode(pixels))
    for source, expected in ((pixels, left), (picture(pixels), picture(left))):
        out = io.BytesIO()
        summary = stream.compress_stream(io.BytesIO(source), out, stream.Options([model], lossy=True))
        assert stream.decompress(out.getvalue(), model=model) == expected
        error = np.frombuffer(pixels, np.uint8).astype(float) - np.frombuffer(left, np.uint8)
        assert summary.distortion.decibels == pytest.approx(10 * np.log10(255**2 * len(pixels) / (error**2).sum()))
        assert len(out.getvalue()) < len(source)
    frames = [stream.compress_stream(io.BytesIO(pixels), out, stream.Options([model], frame_size=100, lossy=True))]
    assert len(frames[0].frames) == 7  # whole pixels each
    exact = io.BytesIO()
    summary = stream.compress_stream(io.BytesIO(left), exact, stream.Options([model], lossy=True))
    assert summary.distortion.decibels == float("inf")


def test_what_loses_must_be_asked_for():
    with pytest.raises(TokpressError, match="--lossy"):
        stream.compress(bytes(30), model=MODEL)
    with pytest.raises(TokpressError, match="one model"):
        stream.Options(lossy=True)
    with pytest.raises(TokpressError, match="one model"):
        stream.Options([Model(PALETTE, HistogramPrior(4)), MODEL], lossy=True)


@pytest.mark.parametrize(
    "source", [b"12345", b"P5 3 2 255 abcdef", b"P6 2 2 65535 " + bytes(24), picture(bytes(500))[:300]]
)
def test_what_is_no_pixels_of_three_bytes(source):
    with pytest.raises(TokpressError):
        stream.compress_stream(io.BytesIO(source), io.BytesIO(), stream.Options([MODEL], lossy=True))


def test_what_is_scored_is_what_lossy_stores():
    """A head of 11 bytes was no pixels, and an error."""
    from tokpress.cli import costs

    pixels = np.random.default_rng(1).bytes(600)
    scored = list(costs.blocks(io.BytesIO(picture(pixels)), MODEL, None))
    assert [part for part, _ in scored] == [pixels]
    assert np.array_equal(scored[0][1].bits, MODEL.score(pixels, None).bits)


def test_few_colours_by_the_command_line(tmp_path, monkeypatch):
    """Fewer than 256 were refused, which is the least of a vocabulary of bytes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pixels.raw").write_bytes(COLOURS.tobytes() * 2000)
    for colours in (2, 4):
        run("train", "tokenizer", "pixels.raw", "-o", "t", "-f", "-q", "--kind", "palette", "--vocab-size", colours)
        run("train", "prior", "pixels.raw", "-o", f"m{colours}", "--tokenizer", "t", "--prior", "histogram", "-q")
        assert load_folder(f"m{colours}").tokenizer.vocab_size == colours
