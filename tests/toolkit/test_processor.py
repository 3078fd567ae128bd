"""Text, bytes, arrays and pictures to tokens and back, one at a time or many; offsets; what a notebook shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokpress
import tokpress.tokenizers
from tokpress.errors import ModelError, TokenizerError
from tokpress.tokenizers.learned.vq import VQTokenizer
from tokpress.tokenizers.pixels.palette import PaletteTokenizer
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer
from tokpress.toolkit.processor import Processor
from tokpress.training.learners.autoencoder import Net

TEXT = "the cat’s naïve café, 漢字 and the cat’s 1234\n" * 3
LEARNED = [WordsTokenizer.learn([TEXT.encode()], 300), CharsTokenizer.learn([TEXT.encode()], 300)]


def palette() -> Processor:
    return Processor(PaletteTokenizer(np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8)))


def vq(shape: str) -> Processor:
    plan = VQTokenizer({"shape": shape, "width": 16, "depth": 1, "codes": 16}, {})
    return Processor(VQTokenizer(plan.settings, Net(plan, 0).export()))


def texts() -> list[Processor]:
    named = [tokpress.tokenizers.load(name) for name in ("bytes", "text")]
    return [*named, *map(Processor, LEARNED)]


def picture(rows: int, columns: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (rows, columns, channels), np.uint8)


@given(source=st.text(max_size=80))
def test_text_comes_back_and_offsets_are_its_bytes(source):
    for processor in texts():
        encoding = processor.encode(source)
        assert processor.decode_text(encoding) == source
        assert processor.decode(encoding.ids.tolist()) == source.encode()
        assert b"".join(encoding.pieces) == source.encode()
        assert [processor.token_bytes(token) for token in encoding] == encoding.pieces


def test_character_offsets_cover_whole_characters():
    encoding = tokpress.tokenizers.load("bytes").encode("a漢b")
    assert encoding.offsets.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    assert encoding.character_offsets.tolist() == [[0, 1], [1, 2], [1, 2], [1, 2], [2, 3]]
    for processor in texts():
        encoding = processor.encode(TEXT)
        for piece, (start, stop) in zip(encoding.pieces, encoding.character_offsets.tolist()):
            assert piece in TEXT[start:stop].encode()
            assert len(TEXT[start:stop].encode()) <= len(piece) + 6
    with pytest.raises(TokenizerError, match="take `offsets`"):
        _ = tokpress.tokenizers.load("bytes").encode(b"\xff").character_offsets


def test_an_encoding_is_a_sequence_and_an_array():
    encoding = tokpress.tokenizers.load("bytes").encode(b"abc")
    assert list(encoding) == [97, 98, 99] and encoding[-1] == 99 and len(encoding) == 3 and 98 in encoding
    assert np.asarray(encoding).dtype == np.int32 and np.array_equal(np.array(encoding), [97, 98, 99])
    assert encoding.source == b"abc" and "3 tokens" in repr(encoding)


def test_batches_are_in_order():
    processor = tokpress.tokenizers.load("text")
    sources = [f"{TEXT[i:]} {i}" for i in range(30)]
    for threads in (0, 1, 3):
        encodings = processor.encode_batch(sources, threads)
        assert [list(each) for each in encodings] == [list(processor.encode(source)) for source in sources]
        assert processor.decode_batch(encodings, threads) == [source.encode() for source in sources]
    assert processor.encode_batch([]) == []


def test_a_text_is_none_for_tokenizers_of_pictures():
    with pytest.raises(TokenizerError, match="takes pixels of 8 bits, 3 channels, not text"):
        palette().encode("red")
    with pytest.raises(TokenizerError, match="give bytes, text, an array or a PIL image"):
        palette().encode(3)
    with pytest.raises(TypeError, match="encode"):
        tokpress.compress("red")


def test_arrays_of_any_tokenizer():
    values = np.arange(12, dtype="<i4").reshape(3, 4)
    processor = tokpress.tokenizers.load("bytes")
    encoding = processor.encode(values)
    assert encoding.source == values.tobytes() and np.array_equal(processor.decode_array(encoding), values)
    assert processor.decode_array(encoding).dtype == values.dtype


def test_a_palette_takes_pictures_of_any_size():
    source = picture(5, 7)
    encoding = palette().encode(source)
    decoded = palette().decode_array(encoding)
    assert len(encoding) == 35 and decoded.shape == source.shape
    assert set(map(tuple, decoded.reshape(-1, 3).tolist())) <= {(0, 0, 0), (255, 0, 0), (255, 255, 255)}
    for wrong in (source[..., :2], source.astype(np.int16), source[:0]):
        with pytest.raises(TokenizerError, match="takes"):
            palette().encode(wrong)


def test_items_and_larger_pictures():
    processor = vq("8x8x3")
    item, larger = picture(8, 8), picture(20, 9)
    one, many, tiled = processor.encode(item), processor.encode(np.stack([item, item])), processor.encode(larger)
    assert list(many) == list(one) * 2 and len(tiled) == 6 * len(one)
    assert processor.decode_array(many).shape == (2, 8, 8, 3)
    assert processor.decode_array(tiled).shape == larger.shape
    assert np.array_equal(
        processor.decode_array(tiled)[:8, :8], processor.decode_array(processor.encode(larger[:8, :8]))
    )
    assert processor.decode_array(list(one)).shape == (1, 8, 8, 3)
    assert np.array_equal(processor.decode_array(list(tiled), larger.shape), processor.decode_array(tiled))
    with pytest.raises(TokenizerError, match="no offsets"):
        _ = one.offsets
    with pytest.raises(TokenizerError, match="no bytes of its own"):
        processor.token_bytes(0)


def test_one_channel_needs_no_axis():
    processor, grey = vq("8x8"), picture(12, 10, 1)
    assert list(processor.encode(grey[..., 0])) == list(processor.encode(grey))
    items = picture(8, 8, 4).transpose(2, 0, 1)
    assert list(processor.encode(items)) == [token for item in items for token in processor.encode(item)]


def test_pictures_of_pillow():
    images = pytest.importorskip("PIL.Image")
    source = images.fromarray(picture(9, 11))
    encoding = palette().encode(source)
    assert list(encoding) == list(palette().encode(np.asarray(source)))
    assert palette().decode_image(encoding).size == source.size
    assert list(vq("8x8").encode(source)) == list(vq("8x8").encode(np.asarray(source.convert("L"))))
    back = tokpress.tokenizers.load("bytes")
    assert np.array_equal(np.asarray(back.decode_image(back.encode(source))), np.asarray(source))
    with pytest.raises(TokenizerError, match="no picture"):
        back.decode_image(back.encode("text"))
    with pytest.raises(tokpress.TokpressError, match="more than 8 bits"):
        palette().encode(images.new("I;16", (3, 3)))


def test_load_by_every_name(tmp_path):
    text = tokpress.load("text")
    tokens = list(tokpress.tokenizers.load("text").encode(TEXT))
    own = tmp_path / "own"
    tokpress.tokenizers.load("text").save(own)
    for name in (text, text.tokenizer, own, str(own), own / "tokenizer.json"):
        assert list(tokpress.tokenizers.load(name).encode(TEXT)) == tokens
    with pytest.raises(ModelError, match=r"train one with tokpress\.tokenizers\.train"):
        tokpress.tokenizers.load("bpe")
    with pytest.raises(ModelError, match="no model called"):
        tokpress.tokenizers.load("nothing of this name")


def test_a_notebook_shows_tokens_and_no_markup_of_the_source():
    hostile = "<script>alert('x')</script>&\"\u202e\x1b[31m"
    for processor in texts():
        shown = processor.encode(hostile)._repr_html_()
        assert "<script" not in shown and "\x1b" not in shown and "\u202e" not in shown and "&lt;" in shown
    assert "\\xff" in tokpress.tokenizers.load("bytes").encode(b"\xff")._repr_html_()
    long = tokpress.tokenizers.load("bytes").encode(b"a" * 5000)._repr_html_()
    assert "(4,500 more)" in long and len(long) < 100_000


@pytest.mark.parametrize("processor", [palette(), vq("8x8x3")], ids=lambda processor: processor.name)
def test_a_notebook_shows_pictures_beside_their_codes(processor):
    shown = processor.encode(picture(16, 16))._repr_html_()
    assert shown.count("<img") == 3 and all(name in shown for name in ("source,", "decoded,", "codes,"))
    assert "<img" not in processor.encode(picture(16, 16).tobytes())._repr_html_()
