"""Tokens coded bit by bit in the core against the twin: the same payloads and scores; damage; real text under a
shipped model."""

import random

import numpy as np
import pytest

from tests.native.test_text import random_prior, repeating
from tokpress.coding import Frame
from tokpress.coding.bitwise import Bitwise
from tokpress.coding.lanes import Layout
from tokpress.errors import ChecksumError, ModelError
from tokpress.models import store
from tokpress.native.bitwise import (
    COST_UNIT,
    COUNTERS,
    IN_A_ROW,
    MATCHED,
    BitwiseFrame,
    Mixing,
    TokenTable,
    rows_of_weights,
)
from tokpress.native.library import CoreError
from tokpress.native.text import Model
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.priors.text.priming import Priming
from tokpress.priors.text.token_paths import TokenPaths
from tokpress.tokenizers.text.bytes import BytesTokenizer


class Listed(BytesTokenizer):
    """Of tokens whose bytes a list says."""

    def __init__(self, token_bytes: list[bytes]) -> None:
        self._listed, self.vocab_size = token_bytes, len(token_bytes)

    def token_bytes(self):
        return self._listed

    def decode(self, tokens):
        return b"".join(self._listed[v] for v in tokens)


def words(count: int, seed: int = 0) -> list[bytes]:
    """Different strings, many of which begin as others do, in no order; the longest of 32 bytes, and zeros."""
    draw, found = random.Random(seed), {b"a" * 32, b"\0", b"\0\0", b"\xff", b"Th"}
    while len(found) < count:
        found.add(bytes(draw.choices(b"aabTz \0\x80\xff", k=draw.choice([1, 2, 2, 3, 3, 4, 5, 9]))))
    return draw.sample(sorted(found), count)


def prior_of(base, seed=0, priming=None) -> BitwisePrior:
    return BitwisePrior(base, Listed(words(base.vocab_size, seed)), priming)


def random_priming(symbols: int, seed: int, bound: int = 20) -> Priming:
    rng = np.random.default_rng(seed)
    return Priming(
        {
            "weights": rng.integers(-bound, bound + 1, (rows_of_weights(symbols), IN_A_ROW)).astype(np.int8),
            "counters": rng.integers(16, 1 << 16, COUNTERS).astype(np.uint16),
            "matched": rng.integers(16, 1 << 16, MATCHED).astype(np.uint16),
        },
        symbols,
    )


BASES = {
    "softmax": lambda: random_prior(0),
    "no memory, no learning": lambda: random_prior(1, online=0.0, memory=False),
    "class-factored": lambda: random_prior(2, classes=8, grams=64, features=5),
    "class-factored, no memory": lambda: random_prior(5, classes=8, online=0.0, memory=False),
    "two groups of lanes": lambda: random_prior(3, online=0.0),
    "two groups, class-factored": lambda: random_prior(4, online=0.0, classes=8, grams=64, features=5),
}


def twin_of(prior, tokens, lanes) -> Bitwise:
    frame = Frame(tokens, lanes, kernel="numpy")
    return Bitwise(TokenPaths(prior.base.for_frame(frame), prior.tokens, prior.rules, prior.priming), frame)


def table_of(prior) -> TokenTable:
    return TokenTable(prior.tokens.symbol, prior.tokens.bytes)


def core_of(prior, tokens, lanes, core, threads=1) -> BitwiseFrame:
    base = prior.base
    model = Model({"name": base.name, **base.config()}, base.tensors())
    layout = Layout.divide(tokens, lanes)
    primed = prior.priming.in_core() if prior.priming else None
    return BitwiseFrame(model, table_of(prior), layout.lanes, tokens, threads, core, primed=primed)


def decoded(frame: BitwiseFrame, payload: bytes, at_once=7, sharpness=1 << 16):
    text = frame.text
    grid = np.zeros((text.lanes, text.steps), np.int32)
    frame.start(payload)
    while text.at < text.steps:
        at, steps = text.at, min(at_once, text.steps - text.at)
        block = np.zeros((text.lanes, steps), np.int32)
        frame.decode(block, steps, sharpness)
        grid[:, at : at + steps] = block
    return Layout.divide(text.tokens, text.lanes).join(grid)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("count, lanes", [(200, 3), (1, 1), (50, 13), (7, 2)])
def test_payload_is_the_twins(core, base, count, lanes):
    prior = prior_of(BASES[base]())
    tokens = repeating(1, count, prior.vocab_size)
    payload = twin_of(prior, count, lanes).encode(tokens)
    assert core_of(prior, count, lanes, core).encode(tokens) == payload
    assert np.array_equal(decoded(core_of(prior, count, lanes, core), payload), tokens)


@pytest.mark.parametrize("bound", [20, 127])
def test_a_primed_payload_is_the_twins(core, bound):
    """Whatever the numbers are."""
    base = BASES["two groups, class-factored"]()
    prior = prior_of(base, priming=random_priming(base.vocab_size, bound, bound))
    tokens = repeating(6, 150, prior.vocab_size)
    payload = twin_of(prior, 150, 3).encode(tokens)
    assert (
        core_of(prior, 150, 3, core).encode(tokens) == payload != core_of(prior_of(base), 150, 3, core).encode(tokens)
    )
    assert np.array_equal(decoded(core_of(prior, 150, 3, core), payload), tokens)


def test_a_priming_of_another_vocabulary_is_refused(core):
    base = BASES["softmax"]()
    with pytest.raises(ModelError, match=r"mixing|weights"):
        random = random_priming(base.vocab_size, 1).tensors()
        Priming({name.removeprefix("mixing."): value for name, value in random.items()}, 4 * base.vocab_size)
    with pytest.raises(CoreError):
        core_of(prior_of(base, priming=random_priming(4 * base.vocab_size, 1)), 5, 1, core)


def test_mixing_goes_on_where_another_frame_ended(core):
    """Weights and counters are taken over, and nothing else is: the same tokens cost less, but not next to nothing."""
    prior, tokens = prior_of(BASES["class-factored"]()), repeating(7, 400, 64)
    first, state = core_of(prior, 400, 1, core), Mixing(prior.vocab_size)
    alone = sum(first.score(tokens))
    first.mixing(state)
    second = core_of(prior, 400, 1, core)
    second.begin(state)
    assert 0.3 * alone < sum(second.score(tokens)) < 0.98 * alone
    with pytest.raises(CoreError):
        second.begin(state)


def test_the_twin_decodes(core):
    prior = prior_of(BASES["softmax"]())
    tokens = repeating(2, 150, prior.vocab_size)
    payload = core_of(prior, 150, 4, core).encode(tokens)
    assert np.array_equal(twin_of(prior, 150, 4).decode(payload, 150), tokens)


@pytest.mark.parametrize("base", ["class-factored", "two groups, class-factored"])
def test_threads_change_no_byte(core, base):
    prior = prior_of(BASES[base]())
    tokens = repeating(3, 1000, prior.vocab_size)
    payload = core_of(prior, 1000, 30, core).encode(tokens)
    for threads in (2, 5):
        assert core_of(prior, 1000, 30, core, threads).encode(tokens) == payload
        assert np.array_equal(decoded(core_of(prior, 1000, 30, core, threads), payload), tokens)


def test_score_is_the_twins_and_the_payloads_length(core):
    prior = prior_of(BASES["softmax"]())
    tokens = repeating(4, 300, prior.vocab_size)
    costs = np.frombuffer(core_of(prior, 300, 3, core).score(tokens), np.int64) / COST_UNIT
    assert np.allclose(costs, twin_of(prior, 300, 3).score(tokens), atol=1e-3)
    assert abs(costs.sum() / 8 - len(core_of(prior, 300, 3, core).encode(tokens))) < 8


def test_samples_of_noise(core):
    """Sharper draws are likelier under the model."""
    prior = prior_of(BASES["softmax"]())
    noise = np.random.default_rng(5).bytes(1 << 14)
    costs = [
        np.sum(core_of(prior, 200, 2, core).score(decoded(core_of(prior, 200, 2, core), noise, sharpness=sharpness)))
        for sharpness in (1 << 18, 1 << 16, 1 << 14)
    ]
    assert costs[0] < costs[1] < costs[2]


def test_damage_gives_other_tokens_and_a_cut_an_error(core):
    prior = prior_of(BASES["softmax"]())
    tokens = np.random.default_rng(3).integers(0, prior.vocab_size, 400).astype(np.int32)
    payload = core_of(prior, 400, 5, core).encode(tokens)
    for at in range(0, len(payload), 37):
        changed = payload[:at] + bytes([payload[at] ^ 64]) + payload[at + 1 :]
        assert not np.array_equal(decoded(core_of(prior, 400, 5, core), changed), tokens)
    with pytest.raises(ChecksumError):
        decoded(core_of(prior, 400, 5, core), payload[: len(payload) // 2])


def test_tokens_outside_the_vocabulary_are_refused(core):
    prior = prior_of(BASES["softmax"]())
    for wrong in (-1, prior.vocab_size):
        with pytest.raises(CoreError):
            core_of(prior, 3, 1, core).encode(np.array([0, wrong, 0], np.int32))


@pytest.mark.parametrize("sizes", [[1, 2, 33], [0, 2, 1], [1, 1, 1], [1, 2, 100]])
def test_token_bytes_that_cannot_be(core, sizes):
    """Whatever Python says of them, the core checks."""
    prior = prior_of(BASES["softmax"]())
    base, table = prior.base, table_of(prior)
    for at, size in enumerate(sizes):
        table.sizes[at] = size
    model = Model({"name": base.name, **base.config()}, base.tensors())
    with pytest.raises(CoreError):
        BitwiseFrame(model, table, 1, 10, using=core)


def test_an_order_that_is_not_that_of_the_classes_is_refused(core):
    prior = prior_of(BASES["class-factored"]())
    base, tokens = prior.base, prior.tokens
    table = TokenTable([*tokens.symbol[1:], tokens.symbol[0]], [*tokens.bytes[1:], tokens.bytes[0]])
    with pytest.raises(CoreError):
        BitwiseFrame(Model({"name": base.name, **base.config()}, base.tensors()), table, 1, 10, using=core)


def test_tokens_with_the_same_bytes_are_refused():
    for wrong in ([b"a", b"b", b"a"], [b"", b"a"], [b"a" * 33, b"b"]):
        with pytest.raises(ValueError, match="1 to 32"):
            TokenTable(range(len(wrong)), wrong)


REAL = (b"The tokens stay those of the tokenizer; names, phrases and layout are the file's own.\n" * 3)[:170]


@pytest.mark.parametrize("name", ["text", "text-large"])
def test_real_text_under_a_shipped_model(core, name):
    model = store.load(name)
    tokens = np.asarray(model.tokenizer.encode(REAL)).astype(np.int32)
    payload = twin_of(model.prior, len(tokens), 2).encode(tokens)
    assert core_of(model.prior, len(tokens), 2, core).encode(tokens) == payload
    assert np.array_equal(decoded(core_of(model.prior, len(tokens), 2, core), payload), tokens)
