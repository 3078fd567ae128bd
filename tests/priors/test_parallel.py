"""Items whose symbols are known are computed at once (`exact.parallel`): the bits of one step after the other."""

import numpy as np
import pytest

from tests.models import GIVEN, NETWORKS, tiny_network
from tokpress.coding.lanes import Layout
from tokpress.coding.symbolwise import known_conditionals
from tokpress.priors.base import SteppedPrior
from tokpress.tokenizers.text.bytes import BitsTokenizer

ITEMS = {name: told for name, told in (NETWORKS | GIVEN).items() if "shape" in told[1]} | {
    f"{name}-{shape}": (name, {"shape": shape, "width": 8, "depth": 2}, BitsTokenizer())
    for name in ("pixelcnn", "gated_pixelcnn", "causal_conv", "made")
    for shape in ("6x1", "5x2", "1x7", "3x3x2")
}  # narrower than their kernels reach


class Stepped:
    """A prior whose blocks are what the contract says: one step after another."""

    def __init__(self, prior):
        self._prior = prior

    def __getattr__(self, name):
        return getattr(self._prior, name)

    def step_block(self, state, previous, symbols):
        return SteppedPrior.step_block(self._prior, state, previous, symbols)


@pytest.mark.parametrize("name", ITEMS)
@pytest.mark.parametrize("lanes", [1, 2, 40])
def test_same_bits(name, lanes):
    kind, settings, tokenizer = ITEMS[name]
    prior = tiny_network(kind, settings, tokenizer.vocab_size)
    size = prior.stride
    count = (2 * lanes - 1 if lanes > 1 else 3) * size + 5  # the last lane is short, and ends within an item
    rng = np.random.default_rng(0)
    if prior.given_size:
        given = rng.integers(0, prior.vocab_size, count // size * prior.given_size)
        prior = prior.with_given(given.astype(np.int32))
    tokens = rng.integers(0, prior.vocab_size, count).astype(np.int32)
    layout = Layout.divide(count, lanes, size)
    grid = layout.split(tokens)
    at_once = list(known_conditionals(prior, layout, grid))
    assert max(len(pmf) for pmf, _, _ in at_once) == size
    by_step = list(known_conditionals(Stepped(prior), layout, grid))
    assert max(len(pmf) for pmf, _, _ in by_step) == 1
    steps = [pmf for block, _, _ in at_once for pmf in block]
    assert len(steps) == len(by_step)
    for t, (a, (b, _, _)) in enumerate(zip(steps, by_step)):
        assert np.array_equal(a, b[0]), f"step {t}"


def test_steps_go_on_after_an_item_that_was_known():
    prior = tiny_network("pixelcnn", {"shape": "5x6", "width": 12, "depth": 2}, 2)
    tokens = np.random.default_rng(0).integers(0, 2, (3, 90)).astype(np.int32)
    known, stepped = prior.init(3, 270), prior.init(3, 270)
    list(prior.step_block(known, None, tokens[:, :30]))
    previous = None
    for t in range(30):
        prior.step(stepped, previous, 3)
        previous = tokens[:, t].copy()
    for t in range(30, 60):
        assert np.array_equal(prior.step(known, previous, 3), prior.step(stepped, previous, 3))
        previous = tokens[:, t].copy()
    (block,) = prior.step_block(known, previous, tokens[:, 60:])
    for t in range(60, 90):
        assert np.array_equal(block[t - 60], prior.step(stepped, previous, 3))
        previous = tokens[:, t].copy()
