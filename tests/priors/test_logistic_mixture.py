"""Mixtures of logistics: exact and trained pmf agree, and a fit finds what made the data."""

import numpy as np
import pytest
import torch

from tokpress.errors import ModelError
from tokpress.exact import logistics
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.training.nets.logistics import log_mass, log_pmf
from tokpress.training.nets.mixture import fit_mixture


@pytest.mark.parametrize("symbols", [2, 3, 16, 256, 1000])
def test_the_exact_pmf_is_the_trained_one(symbols):
    rng = np.random.default_rng(symbols)
    p = [rng.normal(0, spread, (50, 5)).astype(np.float32) for spread in (2.0, 0.8, 2.0)]
    exact = logistics.pmf(p[0], p[1], p[2] - 3, symbols)
    trained = log_pmf(*(torch.from_numpy(v) for v in (p[0], p[1], p[2] - 3)), symbols).exp().numpy()
    assert exact.dtype == np.float32 and np.abs(exact.sum(1) - 1).max() < 1e-5
    assert np.abs(exact - trained).max() < 2e-6 + symbols * 2.0**-23


def test_a_fit_finds_two_modes():
    truth = LogisticMixturePrior(np.array([[0.5, 0], [-0.5, 0.4], [-3, -3.5]], np.float32), 64)
    counts = np.rint(truth.pmf[0] * 100_000).astype(np.int64)
    fitted = LogisticMixturePrior(fit_mixture(counts, 2), 64)
    p, q = truth.pmf[0].astype(float), fitted.pmf[0].astype(float)
    assert (p * np.log(p / q)).sum() < 2e-4


@pytest.mark.parametrize("bad", [np.zeros((2, 4), np.float32), np.zeros((3, 4)), np.full((3, 1), np.nan, np.float32)])
def test_damaged_parameters_are_refused(bad):
    with pytest.raises(ModelError):
        LogisticMixturePrior(bad, 16)


def test_mass_of_a_symbol_is_that_of_the_pmf():
    rng = torch.Generator().manual_seed(0)
    p = [torch.randn(40, 3, generator=rng) for _ in range(3)]
    targets = torch.tensor([0, 1, 7, 15] * 10)
    whole = log_pmf(*p, 16)
    torch.testing.assert_close(log_mass(*p, targets, 16), whole.gather(1, targets[:, None])[:, 0], rtol=1e-4, atol=1e-5)
