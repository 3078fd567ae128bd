"""Class-factored softmax, class then member: the head by its formula, the core as its twin, and damage."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.coding.common import decode, encode, score
from tests.models import tiny_class_factored, tiny_mingru
from tokpress.codec import encoded_frame, options
from tokpress.coding import Frame, symbolwise
from tokpress.coding.classes import SymbolClasses
from tokpress.conformance import check
from tokpress.errors import ChecksumError, ModelError
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.product import ProductPrior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.priors.text.class_head import ClassFactoredHead
from tokpress.priors.text.mingru import MinGRUPrior
from tokpress.priors.text.online_head import DRAWS, FRACTION
from tokpress.tokenizers.text.bytes import BytesTokenizer

RNG = np.random.default_rng(5)
#: of 64 symbols; neither 3 nor 20 nor 40 lanes are all as long
ZIPF = np.minimum(RNG.zipf(1.3, 421) - 1, 63).astype(np.int32)
TEXT = b"the group of a symbol, then the symbol; the group of a symbol again. " * 5
#: of `Frame`: the core, and the twin
KERNELS = ("auto", "numpy")


def small(**settings) -> MinGRUPrior:
    return tiny_class_factored(**{"symbols": 64, "classes": 8, **settings})


def memory(**settings) -> MemoryPrior:
    return MemoryPrior(small(**settings))


# ── classes ──────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_split_and_join_are_inverse(class_count, members_log2, seed):
    count = class_count << members_log2
    classes = SymbolClasses.from_places(np.random.default_rng(seed).permutation(count).astype(np.int32), class_count)
    symbols = np.arange(count, dtype=np.int32)
    of_class, member = classes.split(symbols)
    assert of_class.max() == class_count - 1 and member.max() == classes.members - 1 == (1 << members_log2) - 1
    assert np.array_equal(of_class * classes.members + member, classes.place)
    assert np.array_equal(classes.join(of_class, member), symbols)


@pytest.mark.parametrize(
    ("place", "classes"),
    [
        ([0, 1, 2, 2], 2),
        ([0, 1, 2, 4], 2),
        ([-1, 0, 1, 2], 2),
        (list(range(8)), 3),
        (list(range(12)), 4),
        (list(range(4)), 8),
    ],
    ids=["twice", "beyond", "below", "no division", "ranks of 3", "more classes than symbols"],
)
def test_places_that_are_none(place, classes):
    with pytest.raises(ModelError, match="place is no order of"):
        SymbolClasses.from_places(np.array(place, np.int32), classes)


@pytest.mark.parametrize(
    "change",
    [
        {"place": np.zeros(64, np.int32)},
        {"place": np.arange(64, dtype=np.int64)},
        {"place": np.arange(63, dtype=np.int32)},
        {"bias": np.zeros(64, np.float32)},
    ],
    ids=["one place", "int64", "too few", "no biases of classes"],
)
def test_a_damaged_model_is_refused(change):
    prior = small()
    with pytest.raises(ModelError):
        MinGRUPrior(prior.config(), {**prior.tensors(), **change})


@pytest.mark.parametrize("classes", [0, 1, -8, 64, 128, 3, 8.0, True, "8", None])
def test_class_counts_that_cannot_be(classes):
    prior = small()
    with pytest.raises(ModelError):
        MinGRUPrior({**prior.config(), "classes": classes}, prior.tensors())


def test_a_width_whose_sums_are_not_exact_is_refused():
    """The plain head multiplies in float32, also where it does not learn."""
    with pytest.raises(ModelError, match="width"):
        tiny_class_factored(symbols=8, width=2068, depth=1, hidden=4, classes=2, online=0.0)


# ── the head ────────────────────────────────────────────────────────────────────────────────────────


def head_of(lanes: int, rate: float = 0.01, **settings) -> ClassFactoredHead:
    prior = small(**settings)
    assert prior.classes
    return ClassFactoredHead({name: t.copy() for name, t in prior.tensors().items()}, rate, lanes, prior.classes)


def features(rng: np.random.Generator, lanes: int, width: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """a [n, D] of whole numbers, r [n, 1]"""
    return rng.integers(-127, 128, (lanes, width)).astype(np.float32), rng.uniform(0.01, 0.02, (lanes, 1)).astype("f4")


@pytest.mark.parametrize(("symbols", "count"), [(64, 8), (48, 3), (256, 2)])
def test_a_step_is_the_product_of_class_and_member(symbols, count):
    """And each level the softmax that the formula says."""
    head, (a, r) = head_of(3, 0.0, symbols=symbols, classes=count), features(RNG, 3)
    classes, t = head.classes, small(symbols=symbols, classes=count).tensors()
    logits = (a.astype(np.float64) @ t["head.weight"].T) * t["head.scale"] * r + t["bias"]
    class_pmf, inside = logits[:, :count], logits[:, count:].reshape(3, count, -1)
    softmax = [np.exp(x - x.max(-1, keepdims=True)) for x in (class_pmf, inside)]
    p_class, p_member = (x / x.sum(-1, keepdims=True) for x in softmax)
    made = head.step(a, r)
    assert np.allclose(made.sum(1, dtype=np.float64), 1, atol=1e-5)
    p = head.class_pmf(a, r)
    assert np.allclose(p, p_class, rtol=1e-3, atol=2.0**-20)
    for v in range(symbols):
        of_class, member = classes.split(np.full(3, v, np.int32))
        q = head.member_pmf(of_class)
        assert np.allclose(q, p_member[np.arange(3), of_class], rtol=1e-3, atol=2.0**-20)
        both = p[np.arange(3), of_class].astype(np.float64) * q[np.arange(3), member]
        assert np.allclose(made[:, v], both, rtol=1e-5, atol=1e-12)


def test_what_comes_again_is_expected():
    head, (a, r) = head_of(2), features(np.random.default_rng(1), 2)
    symbols, before = np.array([5, 40], np.int32), None
    of_class, member = head.classes.split(symbols)
    for _ in range(80):
        class_pmf = head.class_pmf(a, r)[[0, 1], of_class]
        both = class_pmf, head.member_pmf(of_class)[[0, 1], member]
        before = both if before is None else before
        head.learn(symbols)
    assert before is not None
    for first, last in zip(before, both):
        assert (last > first).all() and (last > 0.8).all()


def test_a_rate_of_nothing_changes_nothing():
    head, (a, r) = head_of(2, 0.0), features(np.random.default_rng(1), 2)
    first, columns, master = head.step(a, r), head.columns.copy(), head.master.copy()
    for _ in range(40):
        head.learn(np.array([5, 40], np.int32))
        assert np.array_equal(head.step(a, r), first)
    assert np.array_equal(head.columns, columns) and np.array_equal(head.master, master)


def test_each_level_pulls_as_much_as_it_pushes():
    """Where rows have one scale: what was drawn and is the symbol's own counts for neither."""
    prior = small()
    tensors = {**prior.tensors(), "head.scale": np.full(72, 0.002, np.float32)}
    assert prior.classes
    head, moved = ClassFactoredHead(tensors, 0.001, 1, prior.classes), False
    a, r = features(np.random.default_rng(2), 1)
    for symbol in range(8):
        before = head.master.astype(np.int64)
        head.step(a, r)
        head.learn(np.array([symbol], np.int32))
        change = head.master - before
        of_class, member = head.classes.split(np.array([symbol], np.int32))
        inside = slice(8 + 8 * int(of_class[0]), 16 + 8 * int(of_class[0]))
        for level, own in ((slice(0, 8), of_class[0]), (inside, 8 + 8 * of_class[0] + member[0])):
            # nine whole numbers, each rounded, times an activation
            assert (np.abs(change[level].sum(0)) <= (DRAWS + 1) / 2 * 127).all()
            moved |= bool(np.abs(change[own]).max() > 1 << (FRACTION - 8))
        change[:8] = change[inside] = 0
        assert not change.any(), "only the classes and what is in the symbol's own are taught"
    assert moved


# ── coding ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "shape", [{}, {"depth": 2, "grams": 64}, {"online": 0.0}, {"classes": 32, "depth": 2}], ids=str
)
@pytest.mark.parametrize("lanes", [1, 3, 20, 40])
def test_the_core_codes_the_twins_bytes(shape, lanes):
    for prior in (memory(**shape), small(**shape)):
        payload = encode(prior, ZIPF, lanes)
        assert payload == encode(prior, ZIPF, lanes, kernel="numpy")
        for kernel in KERNELS:
            assert np.array_equal(decode(prior, payload, len(ZIPF), lanes, kernel=kernel), ZIPF)


@pytest.mark.parametrize("tokens", [0, 1, 2, 19, 20, 21, 39, 41])
def test_few_tokens_in_many_lanes(tokens):
    prior = memory()
    payload = encode(prior, ZIPF[:tokens], 20)
    assert payload == encode(prior, ZIPF[:tokens], 20, kernel="numpy")
    for kernel in KERNELS:
        assert np.array_equal(decode(prior, payload, tokens, 20, kernel=kernel), ZIPF[:tokens])
        assert score(prior, ZIPF[:tokens], 20, kernel).shape == (tokens,)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 63), max_size=300), st.integers(1, 50))
def test_any_tokens_come_back(tokens, lanes):
    symbols, prior = np.array(tokens, np.int32), memory()
    assert np.array_equal(decode(prior, encode(prior, symbols, lanes), len(symbols), lanes), symbols)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
@pytest.mark.parametrize("lanes", [3, 20])
def test_the_score_is_what_is_coded(kernel, wrapped, lanes):
    """And what the probabilities of all symbols say."""
    prior = memory() if wrapped else small()
    bits = score(prior, ZIPF, lanes, kernel)
    coded = 8 * len(encode(prior, ZIPF, lanes, kernel=kernel))
    assert bits.sum() * 0.995 - 40 <= coded <= bits.sum() * 1.005 + 40 + len(ZIPF) * 0.01
    frame = Frame(len(ZIPF), lanes, kernel)
    of_all = symbolwise.Symbolwise(prior.for_frame(frame), frame).score(ZIPF)
    assert np.allclose(bits, of_all, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("symbols", "classes"), [(2048, 2), (2048, 1024)], ids=["wide classes", "many classes"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
def test_a_level_of_more_symbols_than_are_coded_in_one_step(symbols, classes, kernel, wrapped):
    """In more lanes than 16, where a pmf that wide is coded in two steps otherwise (`range_coder`)."""
    bare = small(symbols=symbols, classes=classes)
    prior = MemoryPrior(bare) if wrapped else bare
    tokens = np.random.default_rng(1).integers(0, symbols, 200).astype(np.int32)
    payload = encode(prior, tokens, 20, kernel=kernel)
    assert np.array_equal(decode(prior, payload, 200, 20, kernel=kernel), tokens)


@pytest.mark.parametrize(("symbols", "classes"), [(64, 1), (64, 64), (12, 4), (9, 2)])
def test_class_counts_that_do_not_fit_are_refused(symbols, classes):
    """Of one symbol, one of all, three symbols, and not all of one size."""
    with pytest.raises(ModelError, match="classes="):
        tiny_class_factored(symbols=symbols, classes=classes)


def test_a_surprise_after_certainty():
    """Six orders that are sure of a symbol leave the others next to nothing, in each level."""
    tokens = np.concatenate([np.full(3000, 7), np.random.default_rng(0).integers(0, 64, 60)]).astype(np.int32)
    prior = memory()
    payload = encode(prior, tokens, 1)
    assert np.array_equal(decode(prior, payload, len(tokens), 1), tokens)
    assert encode(prior, tokens[2000:], 1) == encode(prior, tokens[2000:], 1, kernel="numpy")


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kernel", KERNELS)
def test_damage_ends_in_an_error_or_in_other_tokens(kernel):
    prior, raised, apart = memory(), 0, 5 if kernel == "auto" else 97
    payload = encode(prior, ZIPF, 20)
    flips = [
        payload[:i] + bytes([payload[i] ^ 1 << i % 8]) + payload[i + 1 :] for i in range(0, len(payload) - 4, apart)
    ]
    noise = [np.random.default_rng(k).bytes(len(payload)) for k in range(2)]
    cuts = [payload[:n] for n in range(0, len(payload) - 4, apart)]
    for damaged in [b"", *flips, *cuts, *noise, bytes(400), b"\xff" * 400]:
        with contextlib.suppress(ChecksumError):
            assert not np.array_equal(decode(prior, damaged, len(ZIPF), 20, kernel=kernel), ZIPF)
            raised -= 1
        raised += 1
    assert raised > len(cuts) // 2, raised
    assert np.array_equal(decode(prior, payload, len(ZIPF), 20, kernel=kernel), ZIPF), "and goes on as if nothing was"


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("size", [0, 3, 100, 400])
def test_a_payload_that_is_cut_ends_soon_after_its_end(kernel, size):
    """However many tokens are still said to come."""
    prior, tokens = memory(), np.random.default_rng(3).integers(0, 64, 2000).astype(np.int32)
    payload, seen = encode(prior, tokens, 20), []
    with pytest.raises(ChecksumError):
        decode(prior, payload[:size], 400_000, 20, seen.append, kernel)
    assert sum(symbols.size for symbols in seen) < 2 * size + 200, "a byte or so each, and what zeros after them make"


# ── models ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_twin_conforms(tmp_path):
    check(Model(BytesTokenizer(), MemoryPrior(tiny_class_factored(grams=64))), tmp_path, "numpy")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_memory_of_a_memory(kernel):
    prior = MemoryPrior(MemoryPrior(small(), orders=(1, 2)), orders=(3,))
    payload = encode(prior, ZIPF, 20, kernel="numpy")
    assert encode(prior, ZIPF, 20, kernel=kernel) == payload
    assert np.array_equal(decode(prior, payload, len(ZIPF), 20, kernel=kernel), ZIPF)


@pytest.mark.parametrize("wrap", [lambda p: p, MemoryPrior, BitwisePrior], ids=["", "memory", "bitwise"])
@pytest.mark.parametrize("other", [tiny_mingru(seed=1), tiny_class_factored(classes=32, seed=1)], ids=["one", "two"])
def test_a_product_with_one_or_two_class_factored(wrap, other):
    model, payloads = Model(BytesTokenizer(), wrap(ProductPrior([tiny_class_factored(), other], quarters=3))), set()
    for kernel in KERNELS:
        payload, tokens, lanes = model.encode(TEXT, 20, kernel=kernel)
        assert model.decode(payload, tokens, lanes, kernel=kernel) == TEXT
        payloads.add(payload)
    assert len(payloads) == 1


@pytest.mark.parametrize(("tokens", "lanes"), [(1, 1), (1_024, 1), (1_025, 2), (8_192, 8), (600_000, 128)])
def test_few_lanes_where_there_are_few_tokens(tokens, lanes):
    """A lane that begins knows nothing."""
    prior = MemoryPrior(tiny_class_factored())
    assert prior.rules.lanes(tokens) == lanes
    source = (TEXT * 40)[: min(tokens, 9_000)]
    coded = encoded_frame.encode(Model(BytesTokenizer(), prior), source, options.Options(), lambda done: None)
    assert coded.lanes is None, "the rule of the format says so"


def test_no_more_lanes_than_tokens():
    """A header with more is against the rule: `--lanes 512` failed on short files as if they were damaged."""
    model = Model(BytesTokenizer(), MemoryPrior(tiny_class_factored()))
    assert encoded_frame.encode(model, TEXT[:20], options.Options(lanes=512), lambda done: None).lanes == 20
    text = b"a sentence that the text model knows better than any other does."
    for lanes in (17, 512):
        coded = tokpress.compress(text, "text", lanes)
        assert len(coded) < len(text) and tokpress.decompress(coded) == text


def test_class_factored_bitwise():
    """Classes of all lanes, then members."""
    payloads, model = set(), Model(BytesTokenizer(), BitwisePrior(MemoryPrior(tiny_class_factored())))
    for kernel in KERNELS:
        payload, tokens, lanes = model.encode(TEXT[:150], 20, kernel=kernel)
        assert model.decode(payload, tokens, lanes, kernel=kernel) == TEXT[:150]
        payloads.add(payload)
    assert len(payloads) == 1


@pytest.mark.parametrize("prior", [memory(), small(grams=32), MemoryPrior(tiny_mingru(64, online=0.01))])
def test_samples_are_drawn_from_all_symbols(prior):
    drawn, again = (prior.codec(Frame(60, 2, kernel)).sample(60, seed=1) for kernel in KERNELS)
    assert np.array_equal(drawn, again) and len(set(np.asarray(drawn).tolist())) > 5
    noise = np.random.default_rng(1).bytes(400)
    read = [prior.codec(Frame(60, 2, kernel)).decode_noise(noise, 60) for kernel in KERNELS]
    assert np.array_equal(*read)
