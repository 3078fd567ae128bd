"""The memory, in the core and as its twin: bounded tables, what it learns, and what it is around (tests/native/test_memory.py and
test_text.py hold both to the same bits)."""

import numpy as np
import pytest

from tests.coding import common as coding
from tests.models import tiny_bayes_net, tiny_class_factored, tiny_mingru, tiny_network
from tokpress.coding import Frame
from tokpress.errors import ModelError
from tokpress.priors.compose import memory_counts
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.memory_counts import Context, Counts, bucket
from tokpress.priors.lecture.histogram import HistogramPrior

RNG = np.random.default_rng(5)
ZIPF = np.minimum(RNG.zipf(1.3, 1500) - 1, 255).astype(np.int32)
LOOP = np.tile(RNG.integers(0, 256, 47), 32).astype(np.int32)


#: of `Frame`: the core's counts, and the twin's
KERNELS = ("auto", "numpy")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "base", [tiny_mingru(), tiny_class_factored(), HistogramPrior(256)], ids=["", "two levels", "stepped"]
)
def test_full_tables_keep_working(kernel, base, monkeypatch):
    monkeypatch.setattr(memory_counts, "MAX_CONTEXTS", 64)
    monkeypatch.setattr(memory_counts, "MAX_POOL", 32)
    prior, tokens = MemoryPrior(base), ZIPF[:300]
    payload = coding.encode(prior, tokens, 3, kernel=kernel)
    assert np.array_equal(coding.decode(prior, payload, len(tokens), 3, kernel=kernel), tokens)


def test_counts_at_their_limit_keep_working(monkeypatch):
    monkeypatch.setattr(memory_counts, "MAX_COUNT", 5)
    prior = MemoryPrior(HistogramPrior(256))
    payload = coding.encode(prior, LOOP, 2, kernel="numpy")
    assert np.array_equal(coding.decode(prior, payload, len(LOOP), 2, kernel="numpy"), LOOP)


@pytest.mark.parametrize("kernel", KERNELS)
def test_it_learns_what_repeats(kernel):
    base = HistogramPrior(256)
    alone = coding.score(base, LOOP, 4).sum()
    remembered = coding.score(MemoryPrior(base), LOOP, 4, kernel).sum()
    assert remembered < 0.4 * alone


def test_lanes_share_what_they_have_seen():
    prior = MemoryPrior(HistogramPrior(256))
    one, many = (coding.score(prior, LOOP, lanes).sum() for lanes in (1, 10))
    assert many < 2 * one


def test_strengths_follow_the_gradient_of_the_log_loss():
    """The hand-written ∂ ln p_K / ∂ ln s_k against finite differences of p_K."""
    counts = Counts([1, 2], 1, 64)
    p0, previous, symbol = np.random.default_rng(1).dirichlet(np.ones(8), 1).astype(np.float32), None, 1
    for each in (None, 1, 2, 1, 3, 1, 2, 1, 2):
        previous = None if each is None else np.array([each], np.int32)
        counts.step(previous, p0)
    start = np.full_like(counts.learned.scale, 3)

    def log_p(scale):
        counts.learned.scale = scale
        counts.parts = [counts._weigh(0, counts.contexts[0])]
        p = p0[0, symbol].astype(np.float64) * counts.base_weight[0]
        return float(np.log(p + sum(float(c[v == symbol].sum()) for v, c in counts._counted(0))))

    counts.learned.scale = start.copy()
    counts.adapt(counts.contexts[0], symbol, p0[0, symbol])
    moved = counts.learned.scale
    changed = np.argwhere(moved != start)
    assert len(changed) == 2
    for index in map(tuple, changed):
        up = start.copy()
        up[index] *= np.float32(1.02)
        numeric = (log_p(up) - log_p(start)) / np.log(1.02)
        exact = (moved[index] / start[index] - 1) / float(memory_counts.RATE)
        assert abs(numeric - exact) < 0.02 + 0.1 * abs(numeric)


@pytest.mark.parametrize("orders", [(), (0,), (-1,), (10**9,), (65,), tuple(range(1, 66))])
def test_orders_that_cannot_be(orders):
    """A model's config.json says them, and memory and time follow them."""
    config = {"orders": list(orders), "base": {"name": "histogram"}}
    with pytest.raises(ModelError, match="orders must be"):
        MemoryPrior.load(config, {}, 256)


@pytest.mark.parametrize(("kernel", "sure"), [("auto", 4000), ("numpy", 300)])
def test_a_surprise_after_certainty(kernel, sure):
    """Six orders that are sure of a symbol leave the others less than the least float32."""
    vocab_size, lanes, surprised = 1024, 20, 5
    counts = np.zeros(vocab_size, np.int64)
    counts[7] = 10**9
    prior = MemoryPrior(HistogramPrior(vocab_size, counts))
    grid = np.full((lanes, sure + surprised), 7, np.int32)
    grid[:, sure:] = np.random.default_rng(0).integers(0, vocab_size, (lanes, surprised))
    payload = coding.encode(prior, grid.ravel(), lanes, kernel=kernel)
    assert (coding.decode(prior, payload, grid.size, lanes, kernel=kernel) == grid.ravel()).all()


@pytest.mark.parametrize("p", [1e-44, 0.0])
def test_strengths_stay_finite(p):
    """Where the base thinks a symbol next to impossible."""
    counts = Counts(list(range(1, 7)), 1, 100)
    counts.adapt([Context(1, 30000, {7: 30000})] * 6, 9, np.float32(p))
    assert np.isfinite(counts.learned.scale).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_class_and_member_of_a_memory_are_its_mixture(kernel):
    """p(c) and p(m | c) of the counts, against p of all symbols from one state."""
    prior = MemoryPrior(tiny_class_factored(symbols=64, classes=8)).for_frame(Frame(400, 4, kernel))
    states, previous, classes = [prior.init(4, 400) for _ in range(2)], None, prior.classes
    assert classes
    lanes = np.arange(4)
    for step in range(60):
        symbols = np.tile(ZIPF[: 4 * 15] % 64, 4)[4 * step : 4 * step + 4].astype(np.int32)
        whole = prior.step(states[0], previous, 4).astype(np.float64)
        class_pmf = prior.class_pmf(states[1], previous, 4)
        of_class, member = classes.split(symbols)
        member_pmf = prior.member_pmf(states[1], of_class)
        assert np.allclose(member_pmf.sum(1, dtype=np.float64), 1, atol=1e-5) and (member_pmf > 0).all()
        by_place = whole[:, classes.symbol].reshape(4, classes.classes, classes.members)
        assert np.allclose(class_pmf, by_place.sum(2), rtol=1e-3, atol=1e-6)
        p = class_pmf[lanes, of_class].astype(np.float64) * member_pmf[lanes, member]
        assert np.allclose(p, whole[lanes, symbols], rtol=2e-3, atol=1e-6)
        previous = symbols
    assert len(states[0].counts.learned.table) == len(states[1].counts.learned.table) > 20


def test_a_memory_of_items_is_in_their_order():
    """And is bound to what its base predicts from."""
    base = tiny_bayes_net()
    memory, tokens = MemoryPrior(base), np.arange(30, dtype=np.int32)
    assert memory.rules is base.rules
    assert not np.array_equal(memory.rules.arrange(tokens), tokens)
    assert np.array_equal(memory.rules.restore(memory.rules.arrange(tokens)), tokens)
    given = MemoryPrior(tiny_network("pixelcnn", {"shape": "2x2", "given": "1x1", "width": 4, "depth": 1}, 16))
    bound = given.for_frame(Frame(12, given=np.ones(3, np.int32)))
    assert given.rules.given_size == 1 and bound.init(1, 12) and bound.config() == given.config()


@pytest.mark.parametrize("count", [*range(1, 70), 511, 512, 513, 4095, memory_counts.MAX_COUNT])
def test_buckets_are_powers_of_two(count):
    of_n, of_d = bucket(count, count)
    assert of_n == min(count.bit_length() - 1, 9)
    assert of_d == min((count - 1).bit_length(), 5)
