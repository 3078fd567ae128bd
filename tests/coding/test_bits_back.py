"""A mixture over whole items is coded at the rate of its joint likelihood, which no member and no choice of one reaches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.coding import common as coding
from tests.models import tiny_ensemble, tiny_mingru
from tokpress.errors import ChecksumError, ModelError, TokpressError
from tokpress.exact.likelihood import Joint, posterior
from tokpress.models.model import Model
from tokpress.priors.compose.ensemble import EnsemblePrior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.tokenizers.text.bytes import BitsTokenizer

ENSEMBLE = tiny_ensemble()
SIZE = ENSEMBLE.rules.stride


def member_bits(items: np.ndarray) -> np.ndarray:
    """−log2 p_k(x), [K, n]."""
    rows = []
    for member in ENSEMBLE.members:
        tokens = member.rules.arrange(items.reshape(-1))
        rows.append(coding.score(member, tokens, len(items)).reshape(len(items), -1).sum(1))
    return np.stack(rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 1 << 30))
def test_round_trip(count, group, seed):
    tokens = np.random.default_rng(seed).integers(0, 2, count).astype(np.int32)
    payload = coding.encode(ENSEMBLE, tokens, group)
    assert np.array_equal(coding.decode(ENSEMBLE, payload, count, group), tokens)


def test_rate_is_that_of_the_mean_of_joint_likelihoods():
    tokens = coding.sample(ENSEMBLE, 400 * SIZE, seed=1)
    alone = member_bits(tokens.reshape(-1, SIZE))
    mixture = -np.log2(np.exp2(-alone).mean(0)).sum()
    assert np.isclose(coding.score(ENSEMBLE, tokens).sum(), mixture, rtol=1e-6)
    coded = 8 * len(coding.encode(ENSEMBLE, tokens, 10))
    # the first group's choices are paid for, and the last word
    assert mixture - 1 <= coded <= mixture + 10 * np.log2(3) + 64
    # telling which member codes an item, or taking one for all, costs more than that
    assert coded < alone.min(0).sum() + 400 * np.log2(3) - 100
    assert coded < alone.sum(1).min() - 100


def test_a_memory_is_refused_where_there_are_no_conditionals():
    with pytest.raises(TokpressError, match="it is not stepped"):
        MemoryPrior(ENSEMBLE)


def test_members_must_fit_together():
    one = ENSEMBLE.members[:1]
    for others in ([], one, [tiny_mingru()] * 2, [ENSEMBLE, *one], [*one, tiny_mingru()]):
        with pytest.raises(TokpressError):
            EnsemblePrior(others)
    with pytest.raises(ModelError):
        EnsemblePrior.load({"members": [{"name": "histogram", "static": False}]}, {}, 2)


def test_damage_is_found():
    model = Model(BitsTokenizer(), ENSEMBLE)
    source = np.random.default_rng(0).bytes(300)
    file = tokpress.compress(source, model=model)
    assert tokpress.decompress(file, model=model) == source
    for at in range(len(file)):
        broken = bytearray(file)
        broken[at] ^= 0x10
        with pytest.raises(TokpressError):
            tokpress.decompress(bytes(broken), model=model)


def test_random_bits_run_out():
    assert len(coding.decode_noise(ENSEMBLE, np.random.default_rng(0).bytes(400), 5 * SIZE, 2)) == 5 * SIZE
    with pytest.raises(ChecksumError, match="used up"):
        coding.decode_noise(ENSEMBLE, np.random.default_rng(0).bytes(8), 3000 * SIZE, 2)


def test_posterior_of_what_no_float_holds():
    """Likelihoods of 2^−5000 and 2^−5001: twice as likely."""
    joints = [Joint(1), Joint(1)]
    for joint, steps in zip(joints, (5000, 5001)):
        joint.times(np.full((steps, 1, 2), 0.5, np.float32), np.zeros((steps, 1), np.int64))
    assert np.allclose(posterior(joints), [[2 / 3, 1 / 3]])
    assert joints[1].log2() == -5001
    far = [Joint(1), Joint(1)]
    far[0].times(np.full((3000, 1, 2), 0.5, np.float32), np.zeros((3000, 1), np.int64))
    q = posterior(far)
    assert q.sum() == 1 and 0 <= q[0, 0] < 2e-19


def test_noise_is_no_payload():
    """Other bits than those that were written leave something on the stack, or take what is not there."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        payload = rng.bytes(int(rng.integers(8, 40))) + bytes(int(rng.integers(0, 3)))
        with pytest.raises(ChecksumError):
            coding.decode(ENSEMBLE, payload, 3 * SIZE + 2, 2)
