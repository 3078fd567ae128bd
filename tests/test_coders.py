"""The coders: constriction's against the reference, in one step and in two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.coders import RangeDecoder, RangeEncoder, range_coder, reference


def rows_and_symbols(seed: int, rows: int, symbols: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = rng.random((rows, symbols)) ** sharpness + 1e-12
    pmf = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    likely = [rng.choice(symbols, p=row / row.sum()) for row in weights]
    return pmf, np.where(rng.random(rows) < 0.8, likely, rng.integers(0, symbols, rows)).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(2, 40), st.sampled_from([0.0, 1.0, 9.0, 80.0]))
def test_the_reference_decodes_what_constriction_encodes(seed, rows, symbols, sharpness):
    pmf, chosen = rows_and_symbols(seed, rows, symbols, sharpness)
    encoder = RangeEncoder()
    encoder.push(chosen, pmf)
    words, decoder = reference.start(encoder.finish())
    assert [reference.pop(words, decoder, row) for row in pmf] == chosen.tolist()


@pytest.mark.parametrize("symbols", [513, 600, 4096])
@pytest.mark.parametrize("rows", [1, 16, 17, 130])
def test_many_rows_of_many_symbols(rows, symbols):
    pmf, chosen = rows_and_symbols(rows, rows, symbols, 9.0)
    encoder = RangeEncoder()
    for _ in range(3):
        encoder.push(chosen, pmf)
    payload = encoder.finish()
    decoder = RangeDecoder(payload)
    for _ in range(3):
        assert np.array_equal(decoder.pop(pmf), chosen)
    ideal = -3 * np.log2(np.maximum(pmf[np.arange(rows), chosen], 2.0**-24)).sum()
    assert 8 * len(payload) <= ideal * 1.01 + 64


def test_two_steps_take_no_more_bits(monkeypatch):
    pmf, chosen = rows_and_symbols(5, 400, 4096, 4.0)
    sizes = []
    for most in (16, 1000):
        monkeypatch.setattr(range_coder, "MANY_ROWS", most)
        encoder = RangeEncoder()
        encoder.push(chosen, pmf)
        sizes.append(len(encoder.finish()))
    assert abs(sizes[0] - sizes[1]) <= 0.002 * sizes[1] + 4


def test_symbols_of_a_group_that_is_next_to_impossible():
    """Where a memory is sure, the rest of a large vocabulary has probabilities near the least float32, or 0."""
    rows = np.zeros((20, 1024), np.float32)
    rows[:10] = np.float32(1e-44)
    rows[:, 7] = 1
    symbols = np.arange(20, dtype=np.int32) * 50
    encoder = RangeEncoder()
    encoder.push(symbols, rows)
    assert (RangeDecoder(encoder.finish()).pop(rows) == symbols).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_last_symbol_of_a_group_that_holds_nearly_all(seed):
    """Found in 20 MB of text: constriction's frequencies of a row that sums to 0.96 left the last symbol none."""
    rng = np.random.default_rng(seed)
    rows = np.full((64, 1024), 5e-10, np.float32)
    rows[:, 7] = rng.uniform(0.3, 1, 64)
    rows[:, 8] = 1 - rows[:, 7]
    symbols = np.tile(np.array([7, 8, 1024 - 32 + 7, 1024 - 32 + 8, 1023, 1022, 991, 990], np.int32), 8)
    encoder = RangeEncoder()
    encoder.push(symbols, rows)
    assert (RangeDecoder(encoder.finish()).pop(rows) == symbols).all()


def test_a_row_that_cannot_be_coded():
    with pytest.raises(ValueError):
        RangeEncoder().push(np.array([1], np.int32), np.array([[np.nan, 1]], np.float32))
