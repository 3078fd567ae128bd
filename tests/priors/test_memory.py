"""The memory: compiled and plain kernels agree, bounded tables, and it learns."""

import numpy as np
import pytest

from tests import coding
from tests.models import tiny_bayes_net, tiny_mingru, tiny_network
from tokpress.errors import ModelError
from tokpress.priors import memory, memory_kernel
from tokpress.priors.histogram import HistogramPrior
from tokpress.priors.memory import MemoryPrior

RNG = np.random.default_rng(5)
ZIPF = np.minimum(RNG.zipf(1.3, 1500) - 1, 255).astype(np.int32)
LOOP = np.tile(RNG.integers(0, 256, 47), 32).astype(np.int32)


@pytest.mark.parametrize("tokens", [ZIPF, LOOP], ids=["zipf", "loop"])
@pytest.mark.parametrize("lanes", [1, 6])
def test_plain_and_compiled_kernels_code_the_same_bytes(tokens, lanes, monkeypatch):
    prior = MemoryPrior(tiny_mingru())
    plain = coding.encode(prior, tokens, lanes)
    monkeypatch.setattr(memory, "COMPILE_FROM", 0)
    assert coding.encode(prior, tokens, lanes) == plain
    assert np.array_equal(coding.decode(prior, plain, len(tokens), lanes), tokens)


def test_full_tables_keep_working(monkeypatch):
    monkeypatch.setattr(memory, "MAX_CONTEXTS", 64)
    monkeypatch.setattr(memory, "MAX_POOL", 32)
    prior = MemoryPrior(HistogramPrior(256))
    payload = coding.encode(prior, ZIPF, 3)
    assert np.array_equal(coding.decode(prior, payload, len(ZIPF), 3), ZIPF)


def test_counts_at_their_limit_keep_working(monkeypatch):
    monkeypatch.setattr(memory_kernel, "MAX_COUNT", 5)
    prior = MemoryPrior(HistogramPrior(256))
    payload = coding.encode(prior, LOOP, 2)
    assert np.array_equal(coding.decode(prior, payload, len(LOOP), 2), LOOP)


def test_it_learns_what_repeats():
    base = HistogramPrior(256)
    alone = coding.score(base, LOOP, 4).sum()
    remembered = coding.score(MemoryPrior(base), LOOP, 4).sum()
    assert remembered < 0.4 * alone


def test_lanes_share_what_they_have_seen():
    prior = MemoryPrior(HistogramPrior(256))
    one, many = (coding.score(prior, LOOP, lanes).sum() for lanes in (1, 10))
    assert many < 2 * one


def test_strengths_follow_the_gradient_of_the_log_loss():
    """The hand-written ∂ ln p_K / ∂ ln s_k against finite differences of `mix`."""
    k = memory_kernel
    prior = MemoryPrior(HistogramPrior(8), orders=(1, 2))
    state = prior.init(1, 64)
    for symbol in (1, 2, 1, 3, 1, 2, 1, 2):
        prior.step(state, np.array([symbol], np.int32) if state.p0 else None, 1)
    state.scale[:] = np.float32(3)
    symbol = 1
    base = state.p0[0].astype(np.float32)

    def log_p(scale):
        out = np.empty((1, 8), np.float32)
        k.mix(state.ctx, state.pool, state.slot, scale, base, out, state.parts, 0, 1)
        return float(np.log(out[0, symbol].astype(np.float64)))

    moved = state.scale.copy()
    buffers = (np.zeros(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.int32))
    k.adapt(state.ctx, state.pool, state.slot, moved, base[0, symbol], 0, symbol, *buffers)
    changed = np.argwhere(moved != state.scale)
    assert len(changed)
    for index in map(tuple, changed):
        up = state.scale.copy()
        up[index] *= np.float32(1.02)
        numeric = (log_p(up) - log_p(state.scale)) / np.log(1.02)
        exact = (moved[index] / state.scale[index] - 1) / float(k.RATE)
        assert abs(numeric - exact) < 0.02 + 0.1 * abs(numeric)


@pytest.mark.parametrize("orders", [(), (0,), (-1,), (10**9,), (65,), tuple(range(1, 66))])
def test_orders_that_cannot_be(orders):
    """A model's config.json says them, and memory and time follow them."""
    config = {"orders": list(orders), "base": {"name": "histogram"}}
    with pytest.raises(ModelError, match="orders must be"):
        MemoryPrior.load(config, {}, 256)


@pytest.mark.parametrize("compile_from", [1, 10**9])
def test_a_surprise_after_certainty(compile_from, monkeypatch):
    """Six orders that are sure of a symbol leave the others less than the least float32."""
    monkeypatch.setattr(memory, "COMPILE_FROM", compile_from)
    sure, surprised = (4000, 50) if compile_from == 1 else (300, 5)
    vocab_size, lanes = 1024, 20
    counts = np.zeros(vocab_size, np.int64)
    counts[7] = 10**9
    prior = MemoryPrior(HistogramPrior(vocab_size, counts))
    grid = np.full((lanes, sure + surprised), 7, np.int32)
    grid[:, sure:] = np.random.default_rng(0).integers(0, vocab_size, (lanes, surprised))
    payload = coding.encode(prior, grid.ravel(), lanes)
    assert (coding.decode(prior, payload, grid.size, lanes) == grid.ravel()).all()
    state = prior.init(1, 100)
    slot = np.zeros((1, 6), np.int32)
    state.ctx[0] = 1, 30000, 1, 7
    before, after, inverses = state.work
    for p in (1e-44, 0.0):  # of the symbol under the base prior
        args = (state.ctx, state.pool, slot, state.scale, np.float32(p), 0, 9, after, before, inverses, state.places)
        memory_kernel.adapt(*args)
        assert np.isfinite(state.scale).all()


def test_a_memory_of_items_is_in_their_order():
    """And is bound to what its base predicts from."""
    base = tiny_bayes_net()
    memory, tokens = MemoryPrior(base), np.arange(30, dtype=np.int32)
    assert np.array_equal(memory.arrange(tokens), base.arrange(tokens))
    assert not np.array_equal(memory.arrange(tokens), tokens)
    assert np.array_equal(memory.restore(memory.arrange(tokens)), tokens) and memory.lanes(12_000) == base.lanes(12_000)
    given = MemoryPrior(tiny_network("pixelcnn", {"shape": "2x2", "given": "1x1", "width": 4, "depth": 1}, 16))
    bound = given.bind(np.ones(3, np.int32))
    assert given.wants_given and bound.init(1, 12) and bound.config() == given.config()


@pytest.mark.parametrize("count", [*range(1, 70), 511, 512, 513, 4095, memory_kernel.MAX_COUNT])
def test_buckets_are_powers_of_two(count):
    of_n, of_d = memory_kernel.bucket(count, count)
    assert of_n == min(count.bit_length() - 1, 9)
    assert of_d == min((count - 1).bit_length(), 5)
    assert all(memory_kernel._exponent(n) == memory_kernel.exponent(n) for n in (count, count - 1))
