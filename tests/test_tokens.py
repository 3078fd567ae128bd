"""Tokens in buffers of either kind, and what is none."""

from array import array
from itertools import pairwise

import numpy as np
import pytest

from tokpress.errors import ChecksumError, TokenizerError
from tokpress.models.guard import Counting
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer, TopBitTokenizer
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokens import as_array, as_bytes, as_ids, count

BUFFERS = {
    "bytes": b"\x00\x07\xff",
    "bytearray": bytearray(b"\x00\x07\xff"),
    "memoryview": memoryview(b"\x00\x07\xff"),
    "array of bytes": array("B", [0, 7, 255]),
    "array of int32": array("i", [0, 7, 255]),
    "int32": np.array([0, 7, 255], np.int32),
    "int64": np.array([0, 7, 255]),
    "uint8": np.array([0, 7, 255], np.uint8),
    "every second": np.array([0, 1, 7, 1, 255, 1], np.int32)[::2],
    "list": [0, 7, 255],
}


@pytest.mark.parametrize("kind", BUFFERS)
def test_buffers_of_every_kind(kind):
    given = BUFFERS[kind]
    assert as_array(given).dtype == np.int32 and as_array(given).tolist() == [0, 7, 255]
    ids = memoryview(as_ids(given))
    assert (ids.format, ids.c_contiguous, ids.tolist()) == ("i", True, [0, 7, 255])
    assert bytes(as_bytes(given)) == b"\x00\x07\xff" and count(given) == 3


def test_nothing_is_copied_that_need_not_be():
    ids, numbers = array("i", [1, 2]), np.array([1, 2], np.int32)
    assert as_ids(ids) is ids and as_ids(numbers) is numbers and as_array(numbers) is numbers
    as_array(ids)[0] = 9
    assert ids[0] == 9
    assert as_bytes(source := b"ab") is source


@pytest.mark.parametrize("wrong", [-1, 256, 1 << 31, 1 << 40, -(1 << 40)])
def test_what_is_no_byte(wrong):
    for tokens in (np.array([1, wrong]), [1, wrong]):
        with pytest.raises(ValueError):
            as_bytes(tokens)
    if -(1 << 31) <= wrong < 1 << 31:
        with pytest.raises(ValueError):
            as_bytes(array("i", [1, wrong]))
    assert as_array(np.array([wrong])).tolist() == [wrong if 0 <= wrong < 1 << 31 else -1]


def test_numbers_with_fractions_are_none():
    with pytest.raises(TypeError, match="integers, not float64"):
        as_array(np.array([1.5]))


@pytest.mark.parametrize("tokenizer", [BytesTokenizer(), NibblesTokenizer(), TopBitTokenizer(), BitsTokenizer()])
def test_bytes_in_parts_as_numpy_cuts_them(tokenizer):
    source = bytes(range(256))
    bits = np.unpackbits(np.frombuffer(source, np.uint8)).reshape(256, 8)
    parts = getattr(tokenizer, "parts", (8,))
    edges = np.cumsum((0, *parts))
    wanted = [[int("".join(map(str, row[a:b])), 2) for a, b in pairwise(edges)] for row in bits.tolist()]
    tokens = tokenizer.encode(source)
    assert tokens.tolist() == [token for row in wanted for token in row]
    assert tokenizer.decode(tokens) == tokenizer.decode(np.array(tokens, np.int64)) == source
    for place, part in enumerate(parts):
        if part < 8:
            bad = bytearray(tokens)
            bad[place] = 1 << part
            with pytest.raises(TokenizerError, match="outside 0"):
                tokenizer.decode(bad)
    if len(parts) > 1:
        with pytest.raises(TokenizerError, match="not a whole number of bytes"):
            tokenizer.decode(tokens[:-1])


def test_blocks_of_several_lanes_are_counted_whole():
    heard = Counting(CharsTokenizer([]), 100, 5, lambda share: None)
    heard(np.zeros((2, 2), np.int32))
    assert (heard.done, heard.source_bytes) == (4, 4)
    with pytest.raises(ChecksumError, match="make more than 5 bytes"):
        heard(array("B", [1, 2]))
