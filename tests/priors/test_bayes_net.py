"""Chow–Liu: the tree that made the data is found again, and no tree is likelier."""

import itertools

import numpy as np
import pytest

from tests.coding import common as coding
from tests.models import tiny_bayes_net
from tokpress.errors import ModelError, TokpressError
from tokpress.priors.lecture.bayes_net import BayesNetPrior
from tokpress.tokenizers.text.bytes import BitsTokenizer
from tokpress.training.data.streams import Source
from tokpress.training.learners.bayes_net import chow_liu, mutual_information
from tokpress.training.learners.registry import fit_prior
from tokpress.training.options import FitOptions


def chain(items: int, size: int = 6) -> np.ndarray:
    """Each symbol is the one before it, one time in eight flipped; but 5 follows 0."""
    rng = np.random.default_rng(0)
    out = np.zeros((items, size), np.int64)
    out[:, 0] = rng.integers(0, 2, items)
    for i, parent in enumerate([0, 0, 1, 2, 3, 0]):
        if i:
            out[:, i] = out[:, parent] ^ (rng.random(items) < 0.125)
    return out


def test_the_tree_that_made_the_data_is_found():
    x = chain(4000)
    hot = (x[:, :, None] == np.arange(2)).reshape(len(x), -1).astype(np.int64)
    counts = (hot.T @ hot).reshape(6, 2, 6, 2).transpose(0, 2, 1, 3)
    information = mutual_information(counts)
    order, parent = chow_liu(information)
    edges = {frozenset((int(order[t]), int(order[parent[t]]))) for t in range(1, 6)}
    assert edges == {frozenset(e) for e in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5)]}
    best = max(
        sum(information[t, p] for t, p in enumerate(parents, 1))
        for parents in itertools.product(*[range(t) for t in range(1, 6)])
    )
    assert information[order[1:], order[parent[1:]]].sum() >= best - 1e-12


def test_fit_codes_near_the_entropy(tmp_path):
    x = chain(4096, 6)
    (tmp_path / "tokens").write_bytes(x.astype("<u2").tobytes())
    prior = fit_prior(
        BayesNetPrior, [Source(tmp_path / "tokens")], BitsTokenizer(), {"shape": "6"}, FitOptions(tmp_path)
    )
    new = chain(4096, 6).ravel().astype(np.int32)
    bits = coding.score(prior, prior.rules.arrange(new), 512).sum() / 4096
    flip = -(0.125 * np.log2(0.125) + 0.875 * np.log2(0.875))
    assert bits == pytest.approx(1 + 5 * flip, rel=0.02)


def test_what_cannot_be_counted_is_refused(tmp_path):
    (tmp_path / "tokens").write_bytes(bytes(4000))
    sources, options = [Source(tmp_path / "tokens")], FitOptions(tmp_path)
    with pytest.raises(TokpressError, match="shape"):
        fit_prior(BayesNetPrior, sources, BitsTokenizer(), {}, options)
    with pytest.raises(TokpressError, match="too many pairs"):
        fit_prior(BayesNetPrior, sources, BitsTokenizer(), {"shape": "100x100"}, options)


@pytest.mark.parametrize(
    "changes",
    [
        {"order": np.zeros(12, np.int32)},
        {"parent": np.full(12, 11, np.int32)},
        {"parent": np.full(12, -1, np.int32)},
        {"counts": np.zeros((12, 2, 2), np.int64)},
        {"counts": np.ones((12, 2, 2), np.int32)},
    ],
)
def test_damaged_tensors_are_refused(changes):
    with pytest.raises(ModelError):
        BayesNetPrior("3x4", tiny_bayes_net().tensors() | changes, 2)
