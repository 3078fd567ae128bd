"""The adaptive prior: what is coded comes back, the same way every time, and repetition is cheap."""

import lzma
from pathlib import Path

import numpy as np
import pytest

from tokpress.coding.coders import range_decoder, range_encoder
from tokpress.priors.adaptive import AdaptivePrior, bit_histories, squash_table, stretch_table
from tokpress.tokenizers.bytes import NibblesTokenizer

LOG = Path(__file__).parents[3] / "shared/data/bench/logs/Linux_2k.log"


def _layout(tokens: int, lanes: int) -> tuple[int, list[int]]:
    """T and the live rows of each step; trailing lanes may be short or empty."""
    per_lane = max(2, -(-tokens // (2 * lanes)) * 2)
    lengths = [min(max(tokens - r * per_lane, 0), per_lane) for r in range(lanes)]
    return per_lane, [sum(n > t for n in lengths) for t in range(per_lane)]


def _encode(source: bytes, lanes: int) -> bytes:
    prior, encoder = AdaptivePrior(), range_encoder()
    tokens = NibblesTokenizer().encode(source)
    per_lane, live = _layout(len(tokens), lanes)
    state, previous = prior.init(lanes, len(tokens)), None
    for t, rows in enumerate(live):
        if rows == 0:
            break
        pmf = prior.step(state, previous, rows)
        assert pmf.dtype == np.float32 and pmf.shape == (rows, 16) and pmf.flags.c_contiguous
        assert pmf.min() > 0 and np.abs(pmf.sum(1, dtype=np.float64) - 1).max() < 1e-6
        previous = tokens[t::per_lane][:rows]
        encoder.push(previous, pmf)
    return encoder.finish()


def _decode(payload: bytes, size: int, lanes: int) -> bytes:
    prior, decoder = AdaptivePrior(), range_decoder(payload)
    tokens = np.zeros(2 * size, np.int32)
    per_lane, live = _layout(2 * size, lanes)
    state, previous = prior.init(lanes, 2 * size), None
    for t, rows in enumerate(live):
        if rows == 0:
            break
        previous = decoder.pop(prior.step(state, previous, rows))
        tokens[t::per_lane][:rows] = previous
    return NibblesTokenizer().decode(tokens)


def _text(size: int) -> bytes:
    words = b"the a prior lane token of and coder nibble\n counts".split(b" ")
    chosen = np.random.default_rng(1).integers(0, len(words), size)
    return b" ".join(words[k] for k in chosen)[:size]


@pytest.mark.parametrize("lanes", [1, 2, 7, 64])
@pytest.mark.parametrize("size", [0, 1, 63, 600])
def test_round_trip_of_every_size(size, lanes):
    for source in (_text(size), np.random.default_rng(size).bytes(size), bytes(size), b"\xff" * size):
        assert _decode(_encode(source, lanes), size, lanes) == source


@pytest.mark.parametrize("lanes", [1, 5, 32])
def test_round_trip_of_mixed_content(lanes):
    source = _text(9000) + np.random.default_rng(2).bytes(5000) + bytes(3000) + _text(9000) + bytes(range(256)) * 20
    payload = _encode(source, lanes)
    assert payload == _encode(source, lanes)
    assert _decode(payload, len(source), lanes) == source
    assert len(payload) < len(source) * 0.45


def test_repetition_is_cheap_and_noise_is_not_dear():
    line = b"2024-01-01 12:00:00 INFO service started on port 8080\n"
    assert len(_encode(line * 400, 1)) < 120
    assert len(_encode(line * 400, 8)) < 600
    noise = np.random.default_rng(3).bytes(20000)
    assert len(_encode(noise, 4)) < 20000 * 1.03


def test_a_state_learns_and_the_prior_does_not():
    prior = AdaptivePrior()
    first = prior.step(prior.init(2, 100), None, 2).copy()
    state = prior.init(2, 100)
    for _ in range(20):
        prior.step(state, np.array([4, 1], np.int32), 2)
    assert not np.array_equal(prior.step(state, np.array([4, 1], np.int32), 2), first)
    assert np.array_equal(prior.step(prior.init(2, 100), None, 2), first)


def test_misuse_is_refused_or_harmless():
    prior = AdaptivePrior()
    state = prior.init(2, 4)
    with pytest.raises(ValueError):
        prior.step(state, None, 3)
    with pytest.raises(ValueError):
        prior.step(state, np.zeros(1, np.int32), 2)
    for _ in range(50):  # far past the tokens that were announced
        pmf = prior.step(state, np.array([15, 99], np.int32), 2)
    assert np.isfinite(pmf).all()


def test_weights_stay_bounded_on_adversarial_input():
    """Alternating certainty and surprise is what drives weights up: they must stop at the clamp."""
    source = (bytes(500) + b"\xff" * 500) * 4
    assert _decode(_encode(source, 2), len(source), 2) == source


def test_tables():
    squash = squash_table()
    assert (np.diff(squash) >= 0).all() and squash[0] >= 0 and squash[-1] <= 65535
    x = np.arange(-3000, 3000)
    assert np.abs(squash[x + 3072] - 65536 / (1 + np.exp(-x / 256))).max() <= 1
    stretch = stretch_table(squash)
    assert (np.diff(stretch) >= 0).all() and abs(int(stretch[2048])) <= 1
    following, counts = bit_histories()
    assert following.max() <= 254 and counts[following[0, 0]].tolist() == [1, 0]
    assert counts[following[0, 1]].tolist() == [0, 1]


@pytest.mark.skipif(not LOG.exists(), reason="benchmark data is not here")
def test_smaller_than_xz_on_a_log():
    source = LOG.read_bytes()[:40000]
    assert len(_encode(source, 2)) < len(lzma.compress(source, preset=9 | lzma.PRESET_EXTREME))
