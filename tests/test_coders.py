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
