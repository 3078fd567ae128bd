"""The networks of the lecture compute nothing that the exactness rule does not allow; what it forbids is noticed."""

import numpy as np
import pytest

from tests.models import AUTOENCODERS, GIVEN, NETWORKS, tiny_autoencoder, tiny_network
from tests.observe import calls_of
from tokpress.exact import guard_numpy, logistics
from tokpress.exact.guard_numpy import InexactOperation, guarded
from tokpress.exact.weights import Weights


def operations():
    """The names of the operations that guarded arrays go through."""
    return calls_of(guard_numpy.Guarded.__array_ufunc__, lambda arguments: arguments["ufunc"].__name__)


ONES = guarded(np.ones((3, 4), np.float32))


@pytest.mark.parametrize("key", NETWORKS | GIVEN)
def test_networks_step_by_the_rule(key):
    name, settings, tokenizer = (NETWORKS | GIVEN)[key]
    prior = tiny_network(name, settings, tokenizer.vocab_size)
    prior._weights = Weights({key: guarded(value) for key, value in prior.tensors().items()})
    steps = 2 * prior.stride if prior.shape else 24
    if prior.given_size:
        prior = prior.with_given(np.arange(3 * 2 * prior.given_size, dtype=np.int32) % prior.vocab_size)
    state, previous, rng = prior.init(3, 3 * steps), None, np.random.default_rng(0)
    with operations() as seen:
        for _ in range(steps):
            pmf = prior.step(state, previous, 3)
            previous = rng.integers(0, prior.vocab_size, 3).astype(np.int32)
    assert pmf.shape == (3, prior.vocab_size)
    # the guard was there, from the scales of products to the softmax
    assert {"add", "multiply", "divide", "rint", "right_shift"} <= set(seen)


@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_decoders_of_tokenizers_by_the_rule(kind):
    tokenizer = tiny_autoencoder(kind, {"width": 8, "depth": 1, **AUTOENCODERS[kind]})
    tokens = tokenizer.encode(np.random.default_rng(0).bytes(2 * tokenizer.sizes.unit_bytes))
    expected = tokenizer.decode(tokens)
    tokenizer._weights = Weights({key: guarded(value) for key, value in tokenizer._tensors.items()})
    with operations() as seen:
        assert tokenizer.decode(tokens) == expected
    assert {"add", "multiply", "rint", "matmul"} <= set(seen)


def test_a_mixture_of_logistics_by_the_rule():
    rng = np.random.default_rng(0)
    parameters = [guarded(rng.normal(size=(5, 3)).astype(np.float32)) for _ in range(3)]
    assert isinstance(logistics.pmf(*parameters, 256), guard_numpy.Guarded)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (lambda x: np.exp(x), "exp"),
        (lambda x: np.tanh(x), "tanh"),
        (lambda x: x**2.5, "power"),
        (lambda x: x.sum(), "sum integers"),
        (lambda x: np.add.accumulate(x), "sum integers"),
        (lambda x: np.linalg.norm(x), "norm"),
        (lambda x: np.einsum("ij->i", x), "einsum"),
        (lambda x: x.mean(), "sum"),
        (lambda x: (x / 3) @ x.T, "not integers"),
        (lambda x: (x * 2**12) @ (x.T * 2**11), "2^24"),
        (lambda x: x * np.ones(4), "float64"),
    ],
)
def test_what_it_forbids(what, told):
    with pytest.raises(InexactOperation, match=told.replace("^", r"\^")):
        what(ONES)


def test_what_it_allows():
    a = ((ONES * 3 - 1) / 7).astype(np.float32)
    assert np.rint(a).astype(np.int32).sum() == 0 and np.maximum(a, 0).max() > 0
    assert ((ONES * 127) @ (ONES.T * 64)).dtype == np.float32
