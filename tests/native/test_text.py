"""Frames of the text models: the core against the Python twins, by payloads; damage; real text under the shipped models."""

import itertools

import numpy as np
import pytest

from tokpress.coding import Frame
from tokpress.coding.lanes import Layout
from tokpress.errors import ChecksumError
from tokpress.exact.tensors import PERMUTATION, SCALE, WEIGHT
from tokpress.native import library
from tokpress.native.text import Model, Text
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.text.mingru import MinGRUPrior, tensor_shapes

ORDERS = (1, 2, 4)


def random_prior(seed=0, online=0.05, memory=True, **settings):
    """An untrained prior with weights of every size."""
    rng = np.random.default_rng(seed)
    config = {"symbols": 64, "width": 20, "depth": 2, "hidden": 24, **settings}
    tensors = {}
    for name, (shape, kind) in tensor_shapes(**config).items():
        if kind == WEIGHT:
            tensors[name] = rng.integers(-64, 64, shape).astype(np.int8)
        elif kind == SCALE:
            tensors[name] = (rng.random(shape) * 0.01 + 1e-4).astype(np.float32)
        elif kind == PERMUTATION:
            tensors[name] = rng.permutation(shape[0]).astype(np.int32)
        else:
            tensors[name] = rng.standard_normal(shape).astype(np.float32)
    prior = MinGRUPrior({**config, **({"online": online} if online else {})}, tensors)
    return MemoryPrior(prior, ORDERS) if memory else prior


def repeating(seed, count, symbols):
    """Tokens with phrases that come again, and runs."""
    rng = np.random.default_rng(seed)
    phrases = [rng.integers(0, symbols, rng.integers(1, 12)) for _ in range(6)]
    phrases.append(np.full(9, symbols - 1))
    tokens = np.concatenate([phrases[k] for k in rng.integers(0, len(phrases), count)])
    return tokens[:count].astype(np.int32)


def frame_of(prior, tokens, lanes, core, threads=1):
    layout = Layout.divide(tokens, lanes)
    model = Model({"name": prior.name, **prior.config()}, prior.tensors())
    return Text(model, layout.lanes, tokens, threads, using=core), layout


def decoded(text, layout, payload, at_once=7):
    grid = np.zeros((layout.lanes, layout.steps), np.int32)
    text.start(payload)
    while text.at < layout.steps:
        at, steps = text.at, min(at_once, layout.steps - text.at)
        block = np.zeros((layout.lanes, steps), np.int32)
        text.decode(block, steps)
        grid[:, at : at + steps] = block
    return layout.join(grid)


def check(prior, tokens, lanes, core, threads=1):
    """The twin's payload, and the tokens back."""
    payload = prior.codec(Frame(len(tokens), lanes, kernel="numpy")).encode(tokens)
    text, layout = frame_of(prior, len(tokens), lanes, core, threads)
    assert text.encode(tokens) == payload
    text, layout = frame_of(prior, len(tokens), lanes, core, threads)
    assert np.array_equal(decoded(text, layout, payload), tokens)


@pytest.mark.parametrize("classes, online, memory", list(itertools.product([0, 4, 32], [0.0, 0.05], [False, True])))
def test_payload_is_the_twins(core, classes, online, memory):
    settings = {"classes": classes} if classes else {}
    prior = random_prior(classes, online, memory, grams=64, features=5, **settings)
    check(prior, repeating(1, 150, 64), 3, core)


@pytest.mark.parametrize("width, hidden, depth", [(1, 1, 1), (31, 33, 1), (32, 64, 3), (33, 7, 2), (64, 100, 1)])
def test_widths_that_vectors_do_not_divide(core, width, hidden, depth):
    prior = random_prior(width, width=width, hidden=hidden, depth=depth, classes=8)
    check(prior, repeating(2, 90, 64), 2, core)


def test_threads_come_and_go(core):
    """What is free is asked before each block."""
    prior, tokens = random_prior(3, grams=32, features=4, classes=16), repeating(3, 9000, 64)
    text, layout = frame_of(prior, len(tokens), 30, core)
    payload = text.encode(tokens)
    free, asked = itertools.cycle([1, 3, 2, 0, 9]), []
    model = Model({"name": prior.name, **prior.config()}, prior.tensors())
    for _ in range(2):
        text = Text(model, layout.lanes, len(tokens), 3, core, lambda: asked.append(next(free)) or asked[-1])
        assert text.encode(tokens) == payload
    text = Text(model, layout.lanes, len(tokens), 3, core, lambda: asked.append(next(free)) or asked[-1])
    assert np.array_equal(decoded(text, layout, payload), tokens)
    assert {1, 3, 2, 0, 9} <= set(asked)


@pytest.mark.parametrize("tokens, lanes", [(1, 1), (2, 2), (17, 16), (100, 17), (231, 33), (77, 77)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_lanes_and_threads(core, tokens, lanes, threads):
    check(random_prior(3, grams=32, features=4, classes=16), repeating(3, tokens, 64), lanes, core, threads)


def test_many_steps_change_the_head(core):
    """A rate so high that weights reach their bounds, and moves theirs."""
    check(random_prior(4, 0.1, classes=8, symbols=32), repeating(4, 600, 32), 4, core)
    check(random_prior(5, 0.1, symbols=32), repeating(5, 600, 32), 20, core)


@pytest.mark.parametrize("classes", [2, 64])
def test_levels_that_are_wider_than_the_network(core, classes):
    for memory in (False, True):
        prior = random_prior(classes, 0.05, memory, symbols=2048, classes=classes, width=4, hidden=4)
        check(prior, repeating(1, 60, 2048), 3, core)


def test_step_is_the_twins(core):
    prior = random_prior(6, grams=16, features=3)
    tokens, layout = repeating(6, 95, 64), Layout.divide(95, 10)
    text, _ = frame_of(prior, 95, 10, core)
    state, previous, grid = prior.init(layout.lanes, 95), None, layout.split(tokens)
    for rows, first, stop in layout.runs():
        for t in range(first, stop):
            previous = None if previous is None else np.ascontiguousarray(previous[:rows])
            pmf = np.empty((rows, 64), np.float32)
            text.step(previous, rows, pmf)
            assert np.array_equal(pmf, prior.step(state, previous, rows))
            previous = np.ascontiguousarray(grid[:rows, t])


def test_score_is_the_twins(core):
    prior, tokens = random_prior(7, classes=8), repeating(7, 80, 64)
    text, _ = frame_of(prior, 80, 4, core)
    costs = np.frombuffer(text.score(tokens)).reshape(80, 2)
    wanted = prior.codec(Frame(80, 4, kernel="numpy")).score(tokens)
    assert np.allclose(-np.log2(costs).sum(1), wanted, rtol=1e-12)


@pytest.mark.parametrize("classes", [0, 8])
def test_damage_ends(core, classes):
    """Any words decode to something within the vocabulary, or are refused."""
    prior = random_prior(8, **({"classes": classes} if classes else {}))
    tokens, rng = repeating(8, 120, 64), np.random.default_rng(8)
    text, layout = frame_of(prior, 120, 5, core)
    payload = text.encode(tokens)
    refused = 0
    for n in range(40):
        damaged = bytearray(payload)
        if n % 4:
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        else:
            damaged = bytearray(rng.bytes(int(rng.integers(12))))
        text, layout = frame_of(prior, 120, 5, core)
        try:
            out = decoded(text, layout, bytes(damaged))
        except ChecksumError:
            refused += 1
            continue
        assert out.min() >= 0 and out.max() < 64
        assert bytes(damaged) != payload
    assert refused


def test_refuses_symbols_outside(core):
    prior = random_prior(9, classes=8)
    for symbol in (-1, 64, 1 << 30):
        text, _ = frame_of(prior, 3, 1, core)
        with pytest.raises(library.CoreError):
            text.encode(np.array([0, symbol, 1], np.int32))


def test_refuses_tensors_of_another_size(core):
    prior = random_prior(10, classes=8)
    config, tensors = {"name": prior.name, **prior.config()}, prior.tensors()
    for name, other in (("bias", np.zeros(5, np.float32)), ("place", np.zeros(64, np.int32))):
        with pytest.raises(library.CoreError):
            Text(Model(config, {**tensors, name: other}), 1, 10, using=core)


@pytest.mark.parametrize("lanes", [1, 12, 40])
def test_shipped_text(core, lanes, english):
    """Real text under the shipped model, without its bitwise mixing."""
    from tokpress.models.store import load

    model = load("text")
    tokens = np.asarray(model.tokenizer.encode(english), np.int32)[: 40 * lanes]
    check(model.prior.base, tokens, lanes, core)


@pytest.fixture(scope="module")
def english():
    """This package's own prose."""
    from pathlib import Path

    import tokpress

    return b"\n".join(p.read_bytes() for p in sorted(Path(tokpress.__file__).parent.glob("*.py")))[:20000]
