"""Tokens spelled bit by bit: the probabilities of all tokens sum to 1, coders agree, damage shows, and the contexts help."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import coding
from tests.models import tiny_mingru
from tokpress.coding.lanes import Layout
from tokpress.conformance import check
from tokpress.errors import ChecksumError, ModelError
from tokpress.model import Model
from tokpress.priors.histogram import HistogramPrior
from tokpress.priors.memory import MemoryPrior
from tokpress.priors.spelling import SpellingPrior, logarithms, trie_of
from tokpress.tokenizers.bpe import BPETokenizer
from tokpress.tokenizers.bytes import BytesTokenizer
from tokpress.training.options import TokenizerOptions

TEXT = b"It is a truth universally acknowledged, that a single man in possession of a good fortune " * 12
SPELLINGS = [bytes([b]) for b in range(256)] + [b"th", b"the", b"there", b" t", b"\xff\xff\xff", b"a\0"]


class Listed(BytesTokenizer):
    """Of tokens that are spelled as a list says."""

    def __init__(self, spellings: list[bytes]) -> None:
        self.spellings, self.vocab_size = spellings, len(spellings)

    def decode(self, tokens):
        return b"".join(self.spellings[v] for v in tokens)


def spelled(base, spellings: list[bytes], least: int = 0) -> SpellingPrior:
    return SpellingPrior(base, least, Listed(spellings))


@pytest.fixture(scope="module")
def bpe(tmp_path_factory) -> BPETokenizer:
    corpus = tmp_path_factory.mktemp("bpe") / "corpus.txt"
    corpus.write_bytes(TEXT)
    return BPETokenizer.fit([corpus], TokenizerOptions(vocab_size=300, weights=[1.0]))


def test_a_model_of_spelled_byte_pairs_conforms(bpe, tmp_path):
    check(Model(bpe, SpellingPrior(tiny_mingru(symbols=bpe.vocab_size), least=0)), tmp_path)


def test_the_probabilities_of_all_tokens_sum_to_one():
    prior = spelled(HistogramPrior(len(SPELLINGS)), SPELLINGS)
    rng = np.random.default_rng(1)
    before = rng.integers(0, len(SPELLINGS), (40, 1)).astype(np.int32)
    pmf = rng.dirichlet(np.full(len(SPELLINGS), 0.3), 1).astype(np.float32)
    total = 0.0
    for v in range(len(SPELLINGS)):
        state = prior.start(1, 41)
        prior.take(state, pmf, slice(0, 1))
        for symbol in before:
            prior.spelled(state, symbol, slice(0, 1), True)
        bits, rows, stops = prior.spelled(state, np.array([v], np.int32), slice(0, 1), True)
        assert stops.tolist() == [len(bits)]
        total += float(np.prod(rows[np.arange(len(bits)), bits].astype(np.float64)))
    assert total == pytest.approx(1, abs=1e-6)


@given(st.lists(st.integers(0, len(SPELLINGS) - 1), max_size=80), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_any_tokens_come_back(tokens, lanes, seed):
    counts = np.random.default_rng(seed).integers(1, 9, len(SPELLINGS)).astype(np.int64)
    prior, symbols = spelled(HistogramPrior(len(SPELLINGS), counts), SPELLINGS), np.array(tokens, np.int32)
    payload = coding.encode(prior, symbols, lanes)
    assert np.array_equal(coding.decode(prior, payload, len(symbols), lanes), symbols)


def test_the_contexts_learn_what_the_base_cannot():
    prior = spelled(HistogramPrior(256, np.ones(256, np.int64)), SPELLINGS[:256])
    tokens = np.frombuffer(TEXT, np.uint8).astype(np.int32)
    assert coding.score(prior, tokens, 4).sum() < 0.35 * coding.score(prior.base, tokens, 4).sum()


@pytest.mark.parametrize("tokens", [17 * 9, 17 * 9 - 5])
def test_a_base_in_the_core_codes_the_same_bytes(tokens):
    base = MemoryPrior(tiny_mingru(symbols=len(SPELLINGS), online=0.01), (1, 2))
    prior = spelled(base, SPELLINGS)
    symbols = np.random.default_rng(5).integers(0, 40, tokens).astype(np.int32)
    payload, costs = (of(prior, symbols, 17, kernel="numpy") for of in (coding.encode, coding.score))
    assert coding.encode(prior, symbols, 17) == payload
    assert np.allclose(coding.score(prior, symbols, 17), costs, rtol=1e-9)
    assert np.array_equal(coding.decode(prior, payload, tokens, 17), symbols)
    with pytest.raises(ChecksumError):
        coding.decode(prior, payload[:20], tokens, 17)


def test_a_small_frame_is_coded_by_the_base():
    base = HistogramPrior(256)
    tokens = np.frombuffer(TEXT, np.uint8).astype(np.int32)
    prior = spelled(base, SPELLINGS[:256], least=len(tokens) + 1)
    assert coding.encode(prior, tokens, 3) == coding.encode(base, tokens, 3)
    assert coding.encode(prior, np.append(tokens, 1).astype(np.int32), 3) != coding.encode(
        base, np.append(tokens, 1).astype(np.int32), 3
    )


def test_damage_and_noise_end_in_an_error_or_in_other_tokens():
    prior = spelled(HistogramPrior(len(SPELLINGS)), SPELLINGS)
    rng = np.random.default_rng(3)
    tokens = rng.integers(0, len(SPELLINGS), 400).astype(np.int32)
    payload = coding.encode(prior, tokens, 5)
    for at in range(0, len(payload), 37):
        changed = payload[:at] + bytes([payload[at] ^ 64]) + payload[at + 1 :]
        with contextlib.suppress(ChecksumError):
            assert not np.array_equal(coding.decode(prior, changed, len(tokens), 5), tokens)
    with pytest.raises(ChecksumError):
        coding.decode(prior, payload[: len(payload) // 2], len(tokens), 5)


def test_a_history_as_long_as_it_can_be():
    longest = max(SPELLINGS[256:], key=len)
    prior = spelled(HistogramPrior(len(SPELLINGS)), SPELLINGS)
    tokens = np.full(60, SPELLINGS.index(longest), np.int32)
    payload = coding.encode(prior, tokens, 7)
    assert np.array_equal(coding.decode(prior, payload, 60, 7), tokens)
    state = prior.start(7, 60)
    assert len(state.bytes.history) == 7 * Layout.of(60, 7, 1).steps * len(longest)


def test_lanes_of_whole_items_have_room():
    prior = spelled(HistogramPrior(len(SPELLINGS)), SPELLINGS)
    prior.stride = prior.base.stride = 8
    tokens = np.full(20, SPELLINGS.index(b"there"), np.int32)
    layout = Layout.of(20, 2, 8)
    assert layout.steps > -(-20 // layout.lanes)
    assert len(prior.start(layout.lanes, 20).bytes.history) == layout.lanes * layout.steps * 5
    assert np.array_equal(coding.decode(prior, coding.encode(prior, tokens, 2), 20, 2), tokens)


def test_the_trie_leads_to_every_token():
    trie = trie_of(SPELLINGS)
    for v, spelling in enumerate(SPELLINGS):
        node = 0
        for byte in spelling:
            for nibble in (byte >> 4, byte & 15):
                assert trie.edges[node, nibble] <= trie.rank[v] < trie.edges[node, nibble + 1]
                node = trie.child[node, nibble]
        assert trie.order[trie.own[node]] == v


def test_logarithms():
    assert np.abs(logarithms() / 4096 - np.log((1024.5 + np.arange(1024)) / 2048)).max() < 2.0**-12


@pytest.mark.parametrize(
    "spellings, wrong",
    [
        ([*SPELLINGS[:-1], b"th"], "different"),
        ([*SPELLINGS[:-1], b""], "different"),
        ([*SPELLINGS[:-1], b"a" * 33], "1 to 32"),
        ([*SPELLINGS[1:], b"ab"], "each byte"),
    ],
)
def test_spellings_that_cannot_be(spellings, wrong):
    prior = spelled(HistogramPrior(len(spellings)), spellings)
    with pytest.raises(ModelError, match=wrong):
        coding.encode(prior, np.zeros(9, np.int32), 1)


def test_it_codes_for_a_model():
    with pytest.raises(ModelError, match="its tokenizer"):
        coding.encode(SpellingPrior(HistogramPrior(256), 0), np.zeros(9, np.int32), 1)


def test_fewer_lanes_where_it_says_so():
    base = HistogramPrior(256)
    prior = SpellingPrior.load({"base": {"name": "histogram"}, "lanes": 5, "least": 3}, {}, 256)
    rule = [(base.lanes(n), prior.lanes(n)) for n in (0, 1, 96, 4 * 96, 7 * 96, 1 << 20)]
    assert rule == [(1, 1), (1, 1), (1, 1), (4, 2), (7, 3), (128, 5)]
    assert prior.config() == {"least": 3, "lanes": 5, "base": {"name": "histogram", "static": False}}
    listed = Listed(SPELLINGS[:256])
    model = Model(listed, prior)
    assert model.prior.lanes(1 << 20) == 5, "also where it is told its tokenizer"
    *_, lanes = model.encode(bytes(range(256)) * 8)
    assert lanes == 5


@pytest.mark.parametrize(
    "config",
    [
        {"least": -1},
        {"least": "7"},
        {"lanes": 0},
        {"lanes": "4"},
        {"base": {"name": "spelling", "base": {}}},
    ],
)
def test_settings_that_cannot_be(config):
    with pytest.raises(ModelError):
        SpellingPrior.load({"base": {"name": "histogram"}, **config}, {}, 256)
