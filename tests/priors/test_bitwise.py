"""Tokens coded bit by bit: the probabilities of all tokens sum to 1, coders agree, damage shows, and the contexts help."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding import common as coding
from tests.models import tiny_class_factored, tiny_mingru
from tokpress.coding.lanes import FrameRules, Layout
from tokpress.conformance import check
from tokpress.errors import ChecksumError, ModelError
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.priors.text.bitwise_model import log2
from tokpress.priors.text.token_paths import TokenPaths
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.learners.bpe import train_bpe

TEXT = b"It is a truth universally acknowledged, that a single man in possession of a good fortune " * 12
TOKEN_BYTES = [bytes([b]) for b in range(256)] + [b"th", b"the", b"there", b" t", b"\xff\xff\xff", b"a\0"]


class Listed(BytesTokenizer):
    """Of tokens whose bytes a list says."""

    def __init__(self, token_bytes: list[bytes]) -> None:
        self._listed, self.vocab_size = token_bytes, len(token_bytes)

    def token_bytes(self):
        return self._listed

    def decode(self, tokens):
        return b"".join(self._listed[v] for v in tokens)


def bitwise(base, token_bytes: list[bytes]) -> BitwisePrior:
    return BitwisePrior(base, Listed(token_bytes))


@pytest.fixture(scope="module")
def bpe(tmp_path_factory) -> BPETokenizer:
    corpus = tmp_path_factory.mktemp("bpe") / "corpus.txt"
    corpus.write_bytes(TEXT)
    return train_bpe([corpus], 300)


def test_a_bitwise_model_of_byte_pairs_conforms(bpe, tmp_path):
    check(Model(bpe, BitwisePrior(tiny_mingru(symbols=bpe.vocab_size))), tmp_path)


def paths_of(prior):
    return TokenPaths(prior.base, prior.tokens, prior.rules)


PRIORS = {
    "histogram": lambda: bitwise(HistogramPrior(40), TOKEN_BYTES[97:117] + TOKEN_BYTES[256:] + TOKEN_BYTES[:14]),
    "classes": lambda: bitwise(tiny_class_factored(40, classes=5), TOKEN_BYTES[:40]),
    "memory": lambda: bitwise(MemoryPrior(tiny_class_factored(40, classes=5)), TOKEN_BYTES[:40]),
}


@pytest.mark.parametrize("name", PRIORS)
def test_the_probabilities_of_all_tokens_sum_to_one(name):
    """After some tokens, whatever the contexts have learned."""
    prior = PRIORS[name]()
    steps, total = paths_of(prior), 0.0
    before = np.random.default_rng(1).integers(0, 40, 12)
    for v in range(40):
        state, p = steps.init(1, 60), 0.0
        for t, symbol in enumerate([*before, v]):
            p = 1.0
            previous = before[t - 1 : t].astype(np.int32) if t else None
            for (_, _, (path,)), bits in zip(steps.stages(state, previous, 1), steps.bits(symbol), strict=True):
                followed, pmf = iter(bits), next(path)
                with contextlib.suppress(StopIteration):
                    while True:
                        p *= float(pmf[0, bit := next(followed)])
                        pmf = path.send(bit)
        total += p
    assert total == pytest.approx(1, abs=1e-6)


@given(st.lists(st.integers(0, len(TOKEN_BYTES) - 1), max_size=30), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_any_tokens_come_back(tokens, lanes, seed):
    counts = np.random.default_rng(seed).integers(1, 9, len(TOKEN_BYTES)).astype(np.int64)
    prior, symbols = bitwise(HistogramPrior(len(TOKEN_BYTES), counts), TOKEN_BYTES), np.array(tokens, np.int32)
    payload = coding.encode(prior, symbols, lanes)
    assert np.array_equal(coding.decode(prior, payload, len(symbols), lanes), symbols)


def test_the_contexts_learn_what_the_base_cannot():
    prior = bitwise(HistogramPrior(256, np.ones(256, np.int64)), TOKEN_BYTES[:256])
    tokens = np.frombuffer(TEXT, np.uint8).astype(np.int32)
    assert coding.score(prior, tokens, 4).sum() < 0.35 * coding.score(prior.base, tokens, 4).sum()


def test_damage_and_noise_end_in_an_error_or_in_other_tokens():
    prior = bitwise(HistogramPrior(len(TOKEN_BYTES)), TOKEN_BYTES)
    rng = np.random.default_rng(3)
    tokens = rng.integers(0, len(TOKEN_BYTES), 400).astype(np.int32)
    payload = coding.encode(prior, tokens, 5)
    outcomes = set()
    for at in range(0, len(payload), 37):
        changed = payload[:at] + bytes([payload[at] ^ 64]) + payload[at + 1 :]
        try:
            outcomes.add(np.array_equal(coding.decode(prior, changed, len(tokens), 5), tokens))
        except ChecksumError:
            outcomes.add("refused")
    assert outcomes == {False, "refused"}
    with pytest.raises(ChecksumError):
        coding.decode(prior, payload[: len(payload) // 2], len(tokens), 5)


def test_a_history_as_long_as_it_can_be():
    longest = max(TOKEN_BYTES[256:], key=len)
    prior = bitwise(HistogramPrior(len(TOKEN_BYTES)), TOKEN_BYTES)
    tokens = np.full(60, TOKEN_BYTES.index(longest), np.int32)
    payload = coding.encode(prior, tokens, 7)
    assert np.array_equal(coding.decode(prior, payload, 60, 7), tokens)


def test_lanes_of_whole_items_have_room():
    base = HistogramPrior(len(TOKEN_BYTES))
    base.rules = FrameRules(stride=8)
    prior = bitwise(base, TOKEN_BYTES)
    tokens = np.full(20, TOKEN_BYTES.index(b"there"), np.int32)
    assert Layout.divide(20, 2, 8).steps > -(-20 // Layout.divide(20, 2, 8).lanes)
    assert np.array_equal(coding.decode(prior, coding.encode(prior, tokens, 2), 20, 2), tokens)


@pytest.mark.parametrize("symbols", [2, 3, 7, 8, 9, 200])
def test_every_token_has_a_path_of_its_own(symbols):
    """Bits that nothing else shares, as many as there are decisions at most."""
    paths = paths_of(bitwise(HistogramPrior(symbols), TOKEN_BYTES[:symbols]))
    found = ["".join(map(str, *paths.bits(v))) for v in range(symbols)]
    assert max(map(len, found)) == (symbols - 1).bit_length()
    assert sum(2.0 ** -len(bits) for bits in found) == 1, "a prefix code without gaps"
    assert all(one == other or not other.startswith(one) for one in found for other in found)


def test_the_order_of_tokens_is_that_of_the_classes():
    base = tiny_class_factored(64, classes=4)
    for prior in (base, MemoryPrior(base)):
        tokens = bitwise(prior, TOKEN_BYTES[:64]).tokens
        assert tokens.place == base.classes.place.tolist() and tokens.symbol == base.classes.symbol.tolist()
    listed = [b"b", b"a", b"ab", *TOKEN_BYTES[:5]]
    assert bitwise(HistogramPrior(8), listed).tokens.bytes == sorted(listed)


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 4097, 2**24 + 1, 2**31 - 129])
def test_logarithms(n):
    assert log2(n) / 2**23 == pytest.approx(math.log2(n), abs=0.009)


@pytest.mark.parametrize(
    "token_bytes, wrong",
    [
        ([*TOKEN_BYTES[:-1], b"th"], "different"),
        ([*TOKEN_BYTES[:-1], b""], "different"),
        ([*TOKEN_BYTES[:-1], b"a" * 33], "1 to 32"),
    ],
)
def test_token_bytes_that_cannot_be(token_bytes, wrong):
    prior = bitwise(HistogramPrior(len(token_bytes)), token_bytes)
    with pytest.raises(ModelError, match=wrong):
        coding.encode(prior, np.zeros(9, np.int32), 1)


def test_it_codes_for_a_model():
    with pytest.raises(ModelError, match="whose tokenizer"):
        coding.encode(BitwisePrior(HistogramPrior(256)), np.zeros(9, np.int32), 1)


def test_fewer_lanes_than_the_base_takes():
    base = tiny_mingru()
    prior = BitwisePrior(base)
    rule = [(base.rules.lanes(n), prior.rules.lanes(n)) for n in (0, 1, 1024, 4097, 1 << 17, 1 << 20)]
    assert rule == [(1, 1), (1, 1), (1, 1), (5, 2), (128, 64), (128, 128)]
    assert prior.rules.lanes((1 << 17) - 1) == 32, "fewer in a frame that is not long"
    assert BitwisePrior(HistogramPrior(256)).rules.lanes(1 << 20) == 128, "a base without a rule of its own"


@pytest.mark.parametrize(
    "config",
    [
        {"least": 7},
        {"lanes": 4},
        {"base": {"name": "bitwise", "base": {}}},
    ],
)
def test_settings_that_cannot_be(config):
    with pytest.raises(ModelError):
        BitwisePrior.load({"base": {"name": "histogram"}, **config}, {}, 256)
