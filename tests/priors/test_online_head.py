"""The head that learns while it codes: the core and its twin code the same bytes, its draws are fair, and it helps."""

import numpy as np
import pytest

from tests.coding import common as coding
from tests.models import tiny_mingru
from tokpress.errors import ModelError
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.text import online_head
from tokpress.priors.text.mingru import MinGRUPrior

RNG = np.random.default_rng(5)
ZIPF = np.minimum(RNG.zipf(1.3, 900) - 1, 255).astype(np.int32)


def test_it_helps():
    """Random weights expect nothing; what it learns of these symbols it learns from them."""
    fixed, online = (coding.score(tiny_mingru(online=rate), ZIPF, 4).sum() for rate in (0.0, 0.01))
    assert online < 0.8 * fixed


@pytest.mark.parametrize("lanes", [1, 6, 24])
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
def test_the_core_codes_the_twins_bytes(lanes, wrapped):
    prior, payloads = tiny_mingru(online=0.01), set()
    prior = MemoryPrior(prior) if wrapped else prior
    for kernel in ("auto", "numpy"):
        payloads.add(coding.encode(prior, ZIPF, lanes, kernel=kernel))
        assert np.array_equal(coding.decode(prior, next(iter(payloads)), len(ZIPF), lanes, kernel=kernel), ZIPF)
    assert len(payloads) == 1


def test_draws_are_as_frequent_as_they_are_likely():
    weights = np.maximum(RNG.dirichlet(np.full(50, 0.3)) * (1 << 23), 1).astype(np.int32)
    p, counts = weights / weights.sum(), np.zeros(50)
    for step in range(4000):
        each = np.bincount(online_head.draw(weights, online_head.uniform(3, step)), minlength=50)
        assert np.abs(each - online_head.DRAWS * p).max() < 1.001
        counts += each
    assert np.abs(counts / counts.sum() - p).max() < 0.01


def test_many_lanes_that_are_alike_do_not_push_too_far():
    """What each would do alone, hundreds of them together would overdo, and then the other way round."""
    fixed, online = (coding.score(tiny_mingru(online=rate), np.tile(ZIPF[:40], 500), 500).sum() for rate in (0.0, 0.01))
    assert online < fixed


def test_weights_stay_within_seven_bits():
    prior = tiny_mingru(online=0.1)
    prior.tensors()["head.scale"][:] = 1e-6  # every step is as long as may be
    state, symbols = prior.init(2, 400), np.tile(np.array([1, 2], np.int32), (200, 1))
    before = None
    for previous in symbols:
        prior.step(state, before, 2)
        before = previous
    assert state.head is not None
    assert state.head.columns.min() == -64 and state.head.columns.max() == 63


@pytest.mark.parametrize("rate", [-0.1, 0.2, float("nan"), "fast", True])
def test_impossible_rates(rate):
    prior = tiny_mingru()
    with pytest.raises(ModelError, match="should be a number from 0 to"):
        MinGRUPrior({**prior.config(), "online": rate}, prior.tensors())


def test_sums_of_thousands_of_lanes_wrap_around():
    """As those of int32 do, on every machine: a float64 beyond them is another integer here and there."""
    lanes, width = 4096, 4
    tensors = {
        "head.weight": np.zeros((2, width), np.int8),
        "head.scale": np.full(2, 2.0**-80, np.float32),
        "bias": np.zeros(2, np.float32),
    }
    head = online_head.OnlineHead(tensors, 0.1, lanes)
    head.a[:] = 127
    head._move(np.zeros((lanes, 9), np.int64), np.full((lanes, 9), 2047, np.float32))
    exact = lanes * 9 * 2047 * 127
    assert exact > 2**32 and (head.master[0] == (exact + 2**31) % 2**32 - 2**31).all() and not head.master[1].any()
