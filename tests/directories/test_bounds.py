"""Every tensor of every kind of prior and trained tokenizer is held against its bounds when a model is loaded, at both ends."""

import numpy as np
import pytest

from tests.models import AUTOENCODERS, tiny_autoencoder, tiny_models, tiny_product
from tokpress.errors import ModelError, TokenizerError, TokpressError
from tokpress.exact import tensors as kinds
from tokpress.exact.tensors import checked
from tokpress.priors.base import Prior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.registry import PRIORS
from tokpress.storage.tensors import write

#: by dtype: values that no tensor of it may hold
BEYOND = {
    "int8": [64, 127, -65, -128],
    "float32": [np.nan, np.inf, -np.inf, 65537.0, -65537.0],
    "int64": [-1, (1 << 37) + 1, np.iinfo(np.int64).max, np.iinfo(np.int64).min],
    "int32": [-1, 1 << 20, np.iinfo(np.int32).max],
}
#: of scales
NO_SCALE = [0.0, -0.001, 4.1]
KINDS: dict[str, Prior] = {name: model.prior for name, model in tiny_models().items()}
#: of one that is made of others, the others' tensors are those of the others
MADE_OF = {"memory": MemoryPrior(tiny_product())}


def changed(t: np.ndarray, value: float, at: int) -> np.ndarray:
    out = t.copy()
    out.reshape(-1)[at] = value
    return out


def beyond(name: str, t: np.ndarray) -> list[np.ndarray]:
    values = BEYOND[str(t.dtype)] + (NO_SCALE if name.endswith("scale") else [])
    return [changed(t, value, (0, -1)[i % 2]) for i, value in enumerate(values)]


def otherwise(t: np.ndarray) -> list[np.ndarray]:
    """Of another shape or dtype."""
    return [t.reshape(-1)[:-1], t[None], t.astype(np.float64), t.astype(np.int16)]


def has_tensors(prior: Prior) -> bool:
    return bool(prior.tensors()) and prior.name in PRIORS.names()


@pytest.mark.parametrize("key", [key for key, prior in (KINDS | MADE_OF).items() if has_tensors(prior)])
def test_tensors_of_priors(key):
    prior = (KINDS | MADE_OF)[key]
    tensors, kind = prior.tensors(), PRIORS.find(prior.name)

    def load(tensors: dict[str, np.ndarray]) -> None:
        kind.load(prior.config(), tensors, prior.vocab_size)

    load(tensors)
    for name, t in tensors.items():
        for wrong in [*beyond(name, t), *otherwise(t)]:
            with pytest.raises(ModelError):
                load(tensors | {name: wrong})
        with pytest.raises(ModelError):
            load({other: value for other, value in tensors.items() if other != name})
        with pytest.raises(ModelError):
            load(tensors | {name + "s": t})


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_tensors_of_tokenizers(name, tmp_path):
    tokenizer = tiny_autoencoder(name, {"width": 8, "depth": 1, **AUTOENCODERS[name]})
    tensors = tokenizer._tensors

    def load(tensors: dict[str, np.ndarray]) -> None:
        write(tensors, tmp_path / "tokenizer.safetensors")
        type(tokenizer).load(tmp_path, tokenizer.config())

    load(tensors)
    for key, t in tensors.items():
        for wrong in [*beyond(key, t), t[None]]:
            with pytest.raises(TokenizerError):
                load(tensors | {key: wrong})


@pytest.mark.parametrize("name", ["mingru-class_factored", "bayes_net"])
def test_places_are_a_permutation(name):
    """Also within the bounds."""
    prior = KINDS[name]
    key = "place" if name.startswith("mingru") else "order"
    t = prior.tensors()[key]
    with pytest.raises(ModelError):
        type(prior).load(prior.config(), prior.tensors() | {key: changed(t, t[1], 0)}, prior.vocab_size)


def test_every_kind_of_prior_with_tensors_is_tested():
    here = {inside.name for prior in KINDS.values() for inside in (prior, getattr(prior, "base", prior))}
    ours = [name for name in PRIORS.names() if PRIORS.find(name).__module__.startswith("tokpress.")]
    for name in ours:  # tests register others
        assert name in here, f"{name}: add a small one to tests/models.py"


BOUNDS = [kinds.WEIGHT, kinds.SCALE, kinds.VECTOR, kinds.COUNT, kinds.DOUBLED, kinds.index(7)]


@pytest.mark.parametrize("kind", BOUNDS, ids=lambda kind: kind.what)
def test_bounds_are_included(kind):
    ends = np.array([kind.least, kind.most], kind.dtype)
    assert checked({"t": ends}, "t", (2,), kind) is ends
    step = (
        (lambda x, to: np.nextafter(x, to))
        if kind.dtype == "float32"
        else (lambda x, to: x + np.sign(to).astype(x.dtype))
    )
    for i, to in enumerate((-np.float32(np.inf), np.float32(np.inf))):
        wrong = ends.copy()
        wrong[i] = step(ends[i], to)
        with pytest.raises(ModelError, match="out of bounds"):
            checked({"t": wrong}, "t", (2,), kind)


def test_sums_stay_within_what_they_are_kept_in():
    """What docs/exactness.md says of the bounds, by arithmetic."""
    inputs, weight = kinds.MAX_INPUTS, -int(kinds.WEIGHT.least)
    assert inputs * weight * 254 < 2**31 and inputs * 127**2 < 2**31
    assert 2 * int(kinds.COUNT.most) * 2**24 < 2**63 and int(kinds.DOUBLED.most) * 2**16 < 2**63
    # the longest way of a minGRU from one normed row to the next, and its depth: far from 2^128
    scale = float(kinds.SCALE.most)
    gate = 64 * inputs**1.5 * scale
    assert 64 * inputs * scale * gate**2 * 256 * float(kinds.VECTOR.most) < 2.0**120


def test_a_layer_of_too_many_inputs_is_refused():
    from tokpress.exact.weights import Weights

    with pytest.raises(ModelError, match="inputs"):
        Weights({}).quantized("wide", 1, kinds.MAX_INPUTS + 1)


def test_what_grows_without_end_is_an_error_with_every_kernel():
    """No infinity is rounded to an integer, which would be one here and another there."""
    from tokpress.exact.arithmetic import Exact
    from tokpress.exact.kernels import make_kernel
    from tokpress.exact.weights import Weights

    rng = np.random.default_rng(0)
    tensors = {"w.weight": rng.integers(-64, 64, (4, 4)).astype(np.int8), "w.scale": np.full(4, 0.01, np.float32)}
    for kernel in ("numpy", "native"):
        m = Exact(Weights(tensors, make_kernel(kernel)), (), None, 1)
        for value in (np.inf, -np.inf, np.nan):
            x = np.array([[1, value, 0, 0]], np.float32)
            for normed, limit in ((False, 0.0), (True, 0.0), (False, 4.0)):
                with pytest.raises(TokpressError, match="beyond all bounds"):
                    m.linear("w", x, 4, normed, limit)
