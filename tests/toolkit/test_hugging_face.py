"""An exported tokenizer.json: the library gives the same ids for every text, and tokpress reads the file back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer

import tokpress.tokenizers
from tokpress.errors import TokenizerError
from tokpress.tokenizers.pixels.palette import PaletteTokenizer
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer
from tokpress.toolkit.hugging_face import exported
from tokpress.toolkit.processor import Processor

TEXT = "It’s the cat that sat;\n\n the cat’s\u00a0hat, 1234 times!\t Naïve café — Ελλάδα 漢字\x85. \U0001f600\n" * 4
OURS = [
    tokpress.tokenizers.load("bytes").tokenizer,
    tokpress.tokenizers.load("text").tokenizer,
    WordsTokenizer.learn([TEXT.encode()], 320),
    CharsTokenizer.learn([TEXT.encode()], 300),
]
THEIRS = [HFTokenizer.from_str(exported(tokenizer)) for tokenizer in OURS]
#: characters that the rules of pieces treat each in its own way, beside any text
ODD = st.lists(st.sampled_from([*" \n\t\x85\xa0\x1c\u2003é漢\U0001f600a1,"]), max_size=60).map("".join)


@given(text=ODD | st.text(max_size=60))
def test_the_library_gives_the_same_ids(text):
    for ours, theirs in zip(OURS, THEIRS):
        found = theirs.encode(text)
        assert found.ids == list(ours.encode(text.encode())), ours.name
        assert theirs.decode(found.ids) == text


def test_offsets_agree_with_those_of_the_library():
    for ours, theirs in zip(OURS, THEIRS):
        found = theirs.encode(TEXT).offsets
        assert found == list(map(tuple, Processor(ours).encode(TEXT).character_offsets.tolist())), ours.name


@pytest.mark.parametrize("ours", OURS, ids=lambda tokenizer: tokenizer.name)
def test_tokpress_reads_the_file_back(ours, tmp_path):
    Processor(ours).export(tmp_path / "exported.json")
    again = tokpress.tokenizers.load(tmp_path / "exported.json")
    for source in (TEXT.encode(), bytes(range(256)), np.random.default_rng(0).bytes(999), b""):
        assert list(again.encode(source)) == list(ours.encode(source))
    again.export(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "exported.json").read_bytes()


def test_other_tokenizers_have_no_such_file():
    palette = Processor(PaletteTokenizer(np.array([[0, 0, 0], [255, 255, 255]], np.uint8)))
    for processor in (palette, tokpress.tokenizers.load("nibbles")):
        with pytest.raises(TokenizerError, match="has no form in the library"):
            exported(processor.tokenizer)
