"""Bytes and nibbles: one line of arithmetic each, and the errors for tokens that are not theirs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.errors import TokenizerError
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.text.bytes import BytesTokenizer, NibblesTokenizer
from tokpress.tokens import as_array

BOTH = [BytesTokenizer(), NibblesTokenizer()]


@pytest.mark.parametrize("tokenizer", BOTH, ids=lambda t: t.name)
@given(source=st.binary(max_size=500))
def test_any_bytes_come_back(tokenizer, source):
    tokens = tokenizer.encode(source)
    assert as_array(tokens).dtype == np.int32
    assert all(0 <= t < tokenizer.vocab_size for t in tokens)
    assert tokenizer.decode(tokens) == source


def test_nibbles_are_high_first():
    assert NibblesTokenizer().encode(b"\x4f").tolist() == [4, 15]


@pytest.mark.parametrize("tokenizer", BOTH, ids=lambda t: t.name)
@pytest.mark.parametrize("wrong", [-1, "V"])
def test_foreign_tokens_are_refused(tokenizer, wrong):
    token = tokenizer.vocab_size if wrong == "V" else wrong
    with pytest.raises(TokenizerError):
        tokenizer.decode(np.array([0, token], np.int32))


def test_half_a_byte_is_refused():
    with pytest.raises(TokenizerError):
        NibblesTokenizer().decode(np.array([1], np.int32))


def test_token_bytes_add_up_to_the_source():
    tokenizer = BytesTokenizer()
    assert tokenizer.sizes.lengths(tokenizer.encode(b"five!")).sum() == 5


@pytest.mark.parametrize("tokenizer", BOTH, ids=lambda t: t.name)
def test_found_by_name_and_rebuilt_from_its_config(tokenizer):
    again = TOKENIZERS.find(tokenizer.name).load(Path(), tokenizer.config())
    assert again.decode(tokenizer.encode(b"\x00\xffA")) == b"\x00\xffA"
