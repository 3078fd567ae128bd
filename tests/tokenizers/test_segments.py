"""Several tokenizers with one vocabulary: whatever comes is lossless, and a model of it trains, codes and scores."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokpress
from tests.models import AUTOENCODERS, tiny_autoencoder
from tokpress.codec import options, stream
from tokpress.container.member import iter_frames
from tokpress.errors import TokenizerError
from tokpress.media.segments import HEAD, join, split
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.segments import SegmentsTokenizer
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer

BOTH = SegmentsTokenizer([WordsTokenizer([b"seven ", b"eight "]), BitsTokenizer(), NibblesTokenizer()])


@given(parts=st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=30))), rest=st.binary(max_size=9))
def test_segments_and_whatever_follows(parts, rest):
    source = join(parts) + rest
    tokens = BOTH.encode(source)
    assert BOTH.decode(tokens) == source and BOTH.sizes.source_length(tokens) == len(source)
    assert BOTH.sizes.lengths(tokens).sum() == len(source) and len(BOTH.sizes.lengths(tokens)) == len(tokens)
    assert list(split(join(parts), 3)) == parts


def test_what_is_no_segment_is_bytes():
    for source in (b"plain text", b"", b"\x03\0\0\0\0", b"\0\xff\xff\xff\xff", join([(0, b"seven ")])[:-1]):
        tokens = BOTH.encode(source)
        assert BOTH.decode(tokens) == source
        assert not len(source) or tokens[0] == BOTH.marks - 1
    for bad in ([5], [BOTH.vocab_size], [-1], [1, BOTH.begins[0]]):
        with pytest.raises(TokenizerError):
            BOTH.decode(np.array(bad, np.int32))
        assert BOTH.sizes.source_length(np.array(bad, np.int32)) == -1
    with pytest.raises(TokenizerError):
        BOTH.decode(np.array([1, BOTH.begins[1]], np.int32))  # one bit is no byte


def test_of_lossy_tokenizers(tmp_path):
    pictures = tiny_autoencoder("vq", {"width": 8, "depth": 1, **AUTOENCODERS["vq"]})
    mixed = SegmentsTokenizer([BytesTokenizer(), pictures])
    assert not mixed.lossless
    source = join(
        [(0, b"a caption"), (1, np.random.default_rng(0).bytes(2 * pictures.sizes.unit_bytes)), (1, b"no picture")]
    )
    tokens = mixed.encode(source)
    restored = mixed.decode(tokens)
    assert len(restored) == len(source) and restored[:14] == source[:14] and restored.endswith(b"no picture")
    Model(mixed, HistogramPrior(mixed.vocab_size)).save(tmp_path / "m")
    again = load_folder(tmp_path / "m")
    assert np.array_equal(again.tokenizer.encode(source), tokens) and again.tokenizer.decode(tokens) == restored
    (tmp_path / "m" / "tokenizer.safetensors").write_bytes(b"?")
    with pytest.raises(TokenizerError):
        load_folder(tmp_path / "m")


def test_no_frame_cuts_a_segment_in_two():
    """The rest of a frame that did was coded as plain bytes."""
    rng = np.random.default_rng(0)
    long = [(0, b"seven eight " * 40)]  # longer than a frame: that is cut all the same
    parts = [(i % 3, rng.integers(0, 2, 20 + 7 * (i % 5)).astype(np.uint8).tobytes()) for i in range(40)] + long
    source, model = join(parts), Model(BOTH, HistogramPrior(BOTH.vocab_size), name="mixed")
    ends = {0, *np.cumsum([HEAD + len(data) for _, data in parts]).tolist()}
    with tokpress.open(written := io.BytesIO(), "wb", model=model, frame_size=200) as file:
        file.write(source)
    stream._compress_frames(io.BytesIO(source), out := io.BytesIO(), stream.Options([model], frame_size=200))
    for data in (out.getvalue(), written.getvalue()):
        lengths = [header.source_length for header, _ in iter_frames(io.BytesIO(data))]
        starts = np.cumsum([0, *lengths])
        assert max(lengths) <= 200 and starts[-1] == len(source)
        assert set(starts[starts < len(source) - 480].tolist()) <= ends  # of the last, long one not
        assert tokpress.decompress(data, model=model) == source


def test_what_is_scored_is_cut_there_too(monkeypatch):
    from tokpress.cli import costs

    parts = [(i % 3, bytes(30)) for i in range(20)]
    monkeypatch.setattr(options, "FRAME_SIZE", 100)
    model = Model(BOTH, HistogramPrior(BOTH.vocab_size))
    rows = list(costs.by_segment(costs.blocks(io.BytesIO(join(parts)), model, 1)))
    assert len(rows) == 20 and {row["bytes"] for row in rows} == {30}


def test_bits_of_each_segment():
    from tokpress.cli import costs

    parts = [(0, b"seven eight "), (2, bytes(range(20))), (1, b"x"), (0, b"")]
    source, model = join(parts), Model(BOTH, HistogramPrior(BOTH.vocab_size))
    rows = list(costs.by_segment([(source, bits := model.score(source))]))
    assert [(row["segment"], row["kind"], row["bytes"]) for row in rows] == [
        (number, kind, len(data)) for number, (kind, data) in enumerate(parts, 1)
    ]
    assert sum(row["bits"] for row in rows) == pytest.approx(bits.total_bits)
    with pytest.raises(TokenizerError, match="no segment"):
        list(costs.by_segment([(b"plain text", model.score(b"plain text"))]))
