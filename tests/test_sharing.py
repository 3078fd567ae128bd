"""Models go to other processes and may be used by several threads, whatever has been done with them before."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

import tokpress
from tests.golden import inputs
from tests.models import GIVEN, tiny_autoencoders, tiny_models, tiny_network
from tokpress.lazy import lazy
from tokpress.models import store
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.base import Prior

TEXT = b"to and fro, and to and fro again: " * 2
MODELS = tiny_models() | {f"tokens-{name}": model for name, model in tiny_autoencoders().items()}
#: one of each kind of prior and tokenizer
NAMES = sorted({(model.tokenizer.name, model.prior.name): name for name, model in reversed(MODELS.items())}.values())


def source_for(model: Model) -> bytes:
    size = model.tokenizer.sizes.unit_bytes
    return TEXT if size == 1 else (TEXT * (2 * size // len(TEXT) + 1))[: 2 * size]


def encoded(model: Model, source: bytes) -> bytes:
    return model.encode(source, 2, kernel="numpy")[0]


@pytest.mark.parametrize("name", NAMES)
def test_copies_are_the_same_models(name):
    model = MODELS[name]
    source, used = source_for(model), Model(model.tokenizer, model.prior, name="mine", card="# card")
    before = encoded(used, source)
    assert used.id == model.id
    again = pickle.loads(pickle.dumps(used))
    assert (again.id, again.name, again.card) == (used.id, "mine", "# card")
    assert encoded(again, source) == before
    assert again.decode(before, *used.encode(source, 2)[1:], length=len(source)) == used.decode(
        before, *used.encode(source, 2)[1:]
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_by_the_copy_module(copied):
    model = MODELS["mingru"]
    before = encoded(model, TEXT)
    again = copied(model)
    assert again is not model and again.prior is not model.prior
    assert again.id == model.id and encoded(again, TEXT) == before


def test_a_used_model_of_byte_pairs_goes_along():
    """Its tokenizer holds a library's object by then, its prior compiled code."""
    model = load_folder(inputs.MODELS / "memory-bpe")
    packed = tokpress.compress(TEXT * 40, model=model)
    again = pickle.loads(pickle.dumps(model))
    assert tokpress.compress(TEXT * 40, model=again) == packed and tokpress.decompress(packed, model=again) == TEXT * 40


def test_after_compiled_steps():
    model = tiny_models()["memory-class_factored"]
    before = model.encode(TEXT, 2, kernel="native")
    again = pickle.loads(pickle.dumps(model))
    assert again.encode(TEXT, 2, kernel="native") == before


@pytest.mark.parametrize("key", GIVEN)
def test_what_is_given_goes_along(key):
    name, settings, tokenizer = GIVEN[key]
    model = Model(tokenizer, tiny_network(name, settings, tokenizer.vocab_size))
    items = 4
    given = bytes(range(items * model.prior.given_size // tokenizer.sizes.unit_tokens))
    source = bytes(range(items * model.prior.rules.stride // tokenizer.sizes.unit_tokens))
    bound = model.given(given)
    payload, *rest = bound.encode(source, 1)
    for again in (pickle.loads(pickle.dumps(bound)), copy.deepcopy(bound)):
        assert again.id == model.id and again.encode(source, 1)[0] == payload
        assert again.decode(payload, *rest, length=len(source)) == source
        with pytest.raises(tokpress.TokpressError, match="--given"):
            pickle.loads(pickle.dumps(model)).encode(source, 1)


def _in_another_process(model: Model, source: bytes) -> tuple[bytes, bytes]:
    return model.id, model.encode(source, 2)[0]


def test_a_pool_of_processes_that_spawn():
    model = load_folder(inputs.MODELS / "mingru")
    expected = _in_another_process(model, TEXT)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_in_another_process, (model, TEXT)) == expected


@pytest.mark.parametrize(
    "name", ["context_mixing", "mingru-class_factored", "memory-online", "transformer", "product", "ensemble"]
)
def test_eight_threads_use_one_model(name):
    """With several kernels at once."""
    model, source = tiny_models()[name], TEXT[:60]
    expected, failed = model.encode(source, 3), []
    gate = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            gate.wait()
            for turn in range(2):
                kernel = ("auto", "numpy", "native")[(number + turn) % 3]
                made = model.encode(source, 3, kernel=kernel)
                back = model.decode(*made, length=len(source), kernel=kernel)
                if made != expected or back != source:
                    failed.append(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def attributes(prior: Prior) -> dict[str, int]:
    """What a prior holds, and the priors in it; but for values that are computed when they are first asked for."""
    found = {
        name: id(value) for name, value in vars(prior).items() if not isinstance(vars(type(prior)).get(name), lazy)
    }
    for number, inner in enumerate([getattr(prior, "base", None), *getattr(prior, "members", ())]):
        if isinstance(inner, Prior):
            found |= {f"{number}.{name}": value for name, value in attributes(inner).items()}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_codec_leaves_nothing_on_the_prior(name):
    model = MODELS[name]
    source, before = source_for(model), attributes(model.prior)
    for kernel in ("numpy", "native"):
        made = model.encode(source, 2, kernel=kernel)
        restored = source if model.tokenizer.lossless else model.tokenizer.decode(model.tokenizer.encode(source))
        assert model.decode(*made, length=len(source), kernel=kernel) == restored
        model.score(source, 2, kernel=kernel)
    model.sample(8, seed=1)
    assert attributes(model.prior) == before


def test_eight_threads_encode_with_one_tokenizer():
    model = load_folder(inputs.MODELS / "memory-bpe")
    source = np.random.default_rng(0).bytes(3000) + TEXT
    made: list = []
    threads = [threading.Thread(target=lambda: made.append(model.tokenizer.encode(source).tolist())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [made[0]] * 8 and model.tokenizer.decode(np.array(made[0])) == source


def test_threads_that_compress_at_once():
    """The choice among the shipped models, which all of them load at once, included."""
    store._cached.cache_clear()
    sources = [TEXT * 30, bytes(range(256)) * 20, b"x" * 5000, b'{"key": 1}\n' * 300] * 2
    gate, made = threading.Barrier(len(sources)), [b""] * len(sources)

    def work(number: int) -> None:
        gate.wait()
        packed = tokpress.compress(sources[number])
        made[number] = packed if tokpress.decompress(packed) == sources[number] else b"differs"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(sources))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [tokpress.compress(source) for source in sources]
    assert store._cached.cache_info().misses == store._cached.cache_info().currsize  # each model was loaded once
