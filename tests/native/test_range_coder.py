"""The core's range coder against its Python twin."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.coding.coders.range_coder import RangeEncoder
from tokpress.errors import ChecksumError
from tokpress.native import library, range_coder

WHOLE = 1 << 24


def twin(left, right) -> bytes:
    encoder = RangeEncoder()
    for a, b in zip(left, right):
        encoder.narrow(int(a), int(b))
    return encoder.finish()


def draw(rng, n, symbols):
    """A table of right edges, some symbols next to impossible, and n symbols."""
    edges = np.unique(np.concatenate([rng.integers(1, WHOLE, symbols - 1), [1, 2, WHOLE - 1, WHOLE]]))
    return edges.tolist(), rng.integers(0, len(edges), n)


@pytest.mark.parametrize("seed", range(8))
def test_payload_is_the_twins_and_decodes(core, seed):
    rng = np.random.default_rng(seed)
    right, symbols = draw(rng, 700, 2 + 9 * seed)
    left = [0, *right[:-1]]
    pairs = [left[v] for v in symbols], [right[v] for v in symbols]
    payload = range_coder.encode(*pairs, using=core)
    assert payload == twin(*pairs)
    assert range_coder.decode(payload, right, len(symbols), using=core) == symbols.tolist()


def test_carries_go_through_many_words(core):
    """Intervals at the upper edge leave words of ones, which a carry must pass through."""
    narrow = [(WHOLE - 1, WHOLE)] * 40
    for last in (0, 1, WHOLE - 2):
        left, right = map(list, zip(*narrow, (last, last + 1), (WHOLE - 1, WHOLE)))
        assert range_coder.encode(left, right, using=core) == twin(left, right)


@given(st.lists(st.integers(0, 2), max_size=60), st.binary(max_size=40))
def test_any_symbols_and_any_words(symbols, noise):
    for name in library.instruction_sets():
        right = [5, WHOLE - 3, WHOLE]
        left = [0, *right]
        payload = range_coder.encode([left[v] for v in symbols], [right[v] for v in symbols], using=name)
        assert range_coder.decode(payload, right, len(symbols), using=name) == symbols
        with contextlib.suppress(ChecksumError):
            assert set(range_coder.decode(noise, right, 50, using=name)) <= {0, 1, 2}


def test_an_end_that_lies_is_found_out(core):
    right = [WHOLE >> 1, WHOLE]
    payload = range_coder.encode([0] * 64, [WHOLE >> 1] * 64, using=core)
    with pytest.raises(ChecksumError):
        range_coder.decode(payload, right, 1 << 20, using=core)


def test_impossible_intervals_are_refused(core):
    for left, right in ((5, 5), (6, 5), (0, WHOLE + 1)):
        with pytest.raises(library.CoreError):
            range_coder.encode([left], [right], using=core)
