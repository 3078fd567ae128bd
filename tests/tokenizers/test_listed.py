"""Characters and words: any bytes come back, what is not on the list becomes bytes, and what was learned is what is frequent."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.errors import TokenizerError
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokenizers.text.listed import ListedTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer

TEXT = ("It was the best of times, it was the worst of times: été, Ελλάδα, 世界, 🙂🙂.\r\n\t" * 30).encode()
BOTH = [WordsTokenizer.learn([TEXT], 400), CharsTokenizer.learn([TEXT], 400)]
by_name = pytest.mark.parametrize("tokenizer", BOTH, ids=lambda t: t.name)


@by_name
@given(
    source=st.one_of(st.binary(max_size=200), st.text(max_size=80).map(lambda s: s.encode("utf-8", "surrogatepass")))
)
def test_any_bytes_come_back(tokenizer, source):
    assert b"".join(tokenizer.pieces(source)) == source
    tokens = tokenizer.encode(source)
    assert tokens.dtype == np.int32 and tokenizer.decode(tokens) == source
    assert tokenizer.sizes.lengths(tokens).sum() == len(source)


@by_name
def test_every_byte_comes_back(tokenizer):
    for source in (bytes(range(256)), bytes(range(256))[::-1], b"", b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf"):
        assert tokenizer.decode(tokenizer.encode(source)) == source


@by_name
def test_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = type(tokenizer).load(tmp_path, tokenizer.config())
    assert again.entries == tokenizer.entries
    assert np.array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


def test_fewer_tokens_than_bytes():
    words, chars = (len(tokenizer.encode(TEXT)) for tokenizer in BOTH)
    assert words < 0.4 * chars and chars == len(TEXT.decode())


def test_a_new_word_becomes_bytes():
    words = BOTH[0]
    assert words.encode(b" was").tolist() == [256 + words.entries.index(b" was")]
    assert words.encode(b" wasp").tolist() == list(b" wasp")


@by_name
def test_foreign_tokens_are_refused(tokenizer):
    for token in (-1, tokenizer.vocab_size):
        with pytest.raises(TokenizerError):
            tokenizer.decode(np.array([token]))


@pytest.mark.parametrize(
    "vocab",
    [{"ab": 257}, {"ab": 256, "cd": 256}, {"a": 256}, {"世界": 256}, {"x" * 65: 256}, [], {"ab": "256"}, {"ab": None}],
)
def test_a_garbled_list_is_refused(vocab, tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}}))
    with pytest.raises(TokenizerError):
        WordsTokenizer.load(tmp_path, {})
    with pytest.raises(TokenizerError):
        ListedTokenizer.load(tmp_path / "nowhere", {})


def test_no_vocabulary_of_impossible_size():
    for size in (255, 65537):
        with pytest.raises(TokenizerError):
            CharsTokenizer.learn([TEXT], size)
