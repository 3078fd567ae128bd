"""Tokens coded bit by bit: the probabilities of all tokens sum to 1, coders agree, damage shows, and the contexts help."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding import common as coding
from tests.models import tiny_mingru
from tokpress.coding import Frame
from tokpress.coding.lanes import FrameRules, Layout
from tokpress.conformance import check
from tokpress.errors import ChecksumError, ModelError
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import BitwisePrior, TokenPaths
from tokpress.priors.text.bitwise_model import log2
from tokpress.priors.text.bitwise_tree import DIGITS, Tree
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.learners.bpe import train_bpe

TEXT = b"It is a truth universally acknowledged, that a single man in possession of a good fortune " * 12
TOKEN_BYTES = [bytes([b]) for b in range(256)] + [b"th", b"the", b"there", b" t", b"\xff\xff\xff", b"a\0"]


class Listed(BytesTokenizer):
    """Of tokens whose bytes a list says."""

    def __init__(self, token_bytes: list[bytes]) -> None:
        self._listed, self.vocab_size = token_bytes, len(token_bytes)

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


def test_the_probabilities_of_all_tokens_sum_to_one():
    """After some tokens, whatever the contexts have learned."""
    prior = bitwise(HistogramPrior(40), TOKEN_BYTES[97:117] + TOKEN_BYTES[256:] + TOKEN_BYTES[:14])
    steps, total = TokenPaths(prior, Frame(60)), 0.0
    before = np.random.default_rng(1).integers(0, 40, 12)
    for v in range(40):
        state, p = steps.init(1, 60), 0.0
        for t, symbol in enumerate([*before, v]):
            steps.begin(state, before[t - 1 : t].astype(np.int32) if t else None, 1)
            path, bits, p = steps.path(state, 0), iter(steps.bits(symbol)), 1.0
            pmf = next(path)
            with contextlib.suppress(StopIteration):
                while True:
                    p *= float(pmf[0, bit := next(bits)])
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


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=40, unique=True))
def test_the_tree_has_a_decision_for_each_token_but_one(token_bytes):
    tree = Tree(token_bytes)
    assert sorted({tree.root, *tree.below, *tree.above}) == list(range(len(token_bytes)))
    for rank, symbol in enumerate(tree.symbol):
        low, high, split, places = 0, len(token_bytes), tree.root, [-1]
        for bit in tree.path(rank):
            assert low < split < high and tree.place[split] > places[-1]
            places.append(tree.place[split])
            byte, place = divmod(tree.place[split], DIGITS)
            token = token_bytes[symbol] + b"\0"
            assert bit == (byte < len(token_bytes[symbol]) if place == 0 else token[byte] >> (8 - place) & 1)
            low, high = (split, high) if bit else (low, split)
            split = tree.above[split] if bit else tree.below[split]
        assert (low, high, split) == (rank, rank + 1, 0)


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


def test_fewer_lanes_where_it_says_so():
    base = HistogramPrior(256)
    prior = BitwisePrior.load({"base": {"name": "histogram"}, "lanes": 5}, {}, 256)
    rule = [(base.rules.lanes(n), prior.rules.lanes(n)) for n in (0, 1, 96, 4 * 96, 7 * 96, 1 << 20)]
    assert rule == [(1, 1), (1, 1), (1, 1), (4, 2), (7, 3), (128, 5)]
    assert prior.config() == {"lanes": 5, "base": {"name": "histogram", "static": False}}
    listed = Listed(TOKEN_BYTES[:256])
    model = Model(listed, prior)
    assert model.prior.rules.lanes(1 << 20) == 5, "also where it is told its tokenizer"
    *_, lanes = model.encode(bytes(range(256)) * 8)
    assert lanes == 5


@pytest.mark.parametrize(
    "config",
    [
        {"least": 7},
        {"lanes": 0},
        {"lanes": "4"},
        {"base": {"name": "bitwise", "base": {}}},
    ],
)
def test_settings_that_cannot_be(config):
    with pytest.raises(ModelError):
        BitwisePrior.load({"base": {"name": "histogram"}, **config}, {}, 256)
