"""Symbols coded in two, group and rank: the head by its formula, compiled as plain, one thread as two, and damage."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress
from tests.limits import LAST_RESORT
from tests.models import tiny_mingru, tiny_two_level
from tokpress import choice
from tokpress.coding import Frame, class_factored, symbolwise
from tokpress.coding.base import silent, unwatched
from tokpress.coding.coders import reference
from tokpress.coding.lanes import Layout
from tokpress.coding.levels import Levels
from tokpress.conformance import check
from tokpress.errors import ChecksumError, ModelError
from tokpress.exact import gemm, threads
from tokpress.model import Model
from tokpress.priors import memory_kernel, two_level_loop_kernel
from tokpress.priors.memory import MemoryPrior
from tokpress.priors.mingru import MinGRUPrior
from tokpress.priors.online_head import DRAWS, FRACTION
from tokpress.priors.product import ProductPrior, innermost
from tokpress.priors.spelling import SpellingPrior
from tokpress.priors.two_level_head import TwoLevelHead
from tokpress.priors.two_level_kernel import CompiledTwoLevelHead
from tokpress.tokenizers.bytes import BytesTokenizer

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(5)
#: of 64 symbols; neither 3 nor 20 nor 40 lanes are all as long
ZIPF = np.minimum(RNG.zipf(1.3, 421) - 1, 63).astype(np.int32)
TEXT = b"the group of a symbol, then the symbol; the group of a symbol again. " * 5
KERNELS = ("numpy", "compiled")


def limit_threads(monkeypatch, count: int) -> None:
    for module in (threads, two_level_loop_kernel):
        monkeypatch.setattr(module, "threads", lambda: count)


def small(**settings) -> MinGRUPrior:
    return tiny_two_level(**{"symbols": 64, "groups": 8, **settings})


def memory(kernel: str, **settings) -> MemoryPrior:
    return with_kernel(MemoryPrior(small(**settings)), kernel)


def with_kernel(prior, kernel: str):
    return prior.for_frame(Frame(len(ZIPF), kernel=kernel))


def codec(prior, count: int, lanes: int):
    """With the kernel that the prior has."""
    return prior.codec(Frame(count, lanes, innermost(prior).kernel))


def encode(prior, tokens: np.ndarray, lanes: int, report=silent) -> bytes:
    return codec(prior, len(tokens), lanes).encode(tokens, report)


def decode(prior, payload: bytes, count: int, lanes: int, watch=unwatched) -> np.ndarray:
    return codec(prior, count, lanes).decode(payload, count, watch)


# ── levels ──────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_split_and_join_are_inverse(groups, ranks_log2, seed):
    count = groups << ranks_log2
    levels = Levels.of(np.random.default_rng(seed).permutation(count).astype(np.int32), groups)
    symbols = np.arange(count, dtype=np.int32)
    group, rank = levels.split(symbols)
    assert group.max() == groups - 1 and rank.max() == levels.ranks - 1 == (1 << ranks_log2) - 1
    assert np.array_equal(group * levels.ranks + rank, levels.place)
    assert np.array_equal(levels.join(group, rank), symbols)


@pytest.mark.parametrize(
    ("place", "groups"),
    [
        ([0, 1, 2, 2], 2),
        ([0, 1, 2, 4], 2),
        ([-1, 0, 1, 2], 2),
        (list(range(8)), 3),
        (list(range(12)), 4),
        (list(range(4)), 8),
    ],
    ids=["twice", "beyond", "below", "no division", "ranks of 3", "more groups than symbols"],
)
def test_places_that_are_none(place, groups):
    with pytest.raises(ModelError, match="place is no order of"):
        Levels.of(np.array(place, np.int32), groups)


@pytest.mark.parametrize(
    "change",
    [
        {"place": np.zeros(64, np.int32)},
        {"place": np.arange(64, dtype=np.int64)},
        {"place": np.arange(63, dtype=np.int32)},
        {"bias": np.zeros(64, np.float32)},
    ],
    ids=["one place", "int64", "too few", "no biases of groups"],
)
def test_a_damaged_model_is_refused(change):
    prior = small()
    with pytest.raises(ModelError):
        MinGRUPrior(prior.config(), {**prior.tensors(), **change})


@pytest.mark.parametrize("groups", [0, -8, 128, 3, 8.0, True, "8", None])
def test_groups_that_cannot_be(groups):
    prior = small()
    with pytest.raises(ModelError):
        MinGRUPrior({**prior.config(), "groups": groups}, prior.tensors())


def test_a_width_whose_sums_are_not_exact_is_refused():
    """The plain head multiplies in float32, also where it does not learn."""
    with pytest.raises(ModelError, match="width"):
        tiny_two_level(symbols=8, width=2068, depth=1, hidden=4, groups=2, online=0.0)


# ── the head ────────────────────────────────────────────────────────────────────────────────────────


def heads(kind: type[TwoLevelHead], lanes: int, rate: float = 0.01, **settings) -> TwoLevelHead:
    prior = small(**settings)
    assert prior.levels
    return kind({name: t.copy() for name, t in prior.tensors().items()}, rate, lanes, prior.levels)


def features(rng: np.random.Generator, lanes: int, width: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """a [n, D] of whole numbers, r [n, 1]"""
    return rng.integers(-127, 128, (lanes, width)).astype(np.float32), rng.uniform(0.01, 0.02, (lanes, 1)).astype("f4")


def packed(a: np.ndarray) -> np.ndarray:
    """As the compiled head takes it."""
    out = np.zeros((len(a), -(-a.shape[1] // 4) * 4), np.uint8)
    out[:, : a.shape[1]] = a.astype(np.int32) + gemm.OFFSET
    return out


@pytest.mark.parametrize(("symbols", "groups"), [(64, 8), (48, 3), (256, 2)])
def test_a_step_is_the_product_of_both_levels(symbols, groups):
    """And each level the softmax that the formula says."""
    head, (a, r) = heads(TwoLevelHead, 3, 0.0, symbols=symbols, groups=groups), features(RNG, 3)
    all_lanes, levels, t = slice(0, 3), head.levels, small(symbols=symbols, groups=groups).tensors()
    logits = (a.astype(np.float64) @ t["head.weight"].T) * t["head.scale"] * r + t["bias"]
    of_group, inside = logits[:, :groups], logits[:, groups:].reshape(3, groups, -1)
    softmax = [np.exp(x - x.max(-1, keepdims=True)) for x in (of_group, inside)]
    p_group, p_rank = (x / x.sum(-1, keepdims=True) for x in softmax)
    made = head.step(a, r, all_lanes)
    assert np.allclose(made.sum(1, dtype=np.float64), 1, atol=1e-5)
    p = head.groups(a, r, all_lanes)
    assert np.allclose(p, p_group, rtol=1e-3, atol=2.0**-20)
    for v in range(symbols):
        group, rank = levels.split(np.full(3, v, np.int32))
        q = head.ranks(group, all_lanes)
        assert np.allclose(q, p_rank[np.arange(3), group], rtol=1e-3, atol=2.0**-20)
        both = p[np.arange(3), group].astype(np.float64) * q[np.arange(3), rank]
        assert np.allclose(made[:, v], both, rtol=1e-5, atol=1e-12)


def test_what_comes_again_is_expected():
    head, (a, r) = heads(TwoLevelHead, 2), features(np.random.default_rng(1), 2)
    symbols, before = np.array([5, 40], np.int32), None
    group, rank = head.levels.split(symbols)
    for _ in range(80):
        of_group = head.groups(a, r, slice(0, 2))[[0, 1], group]
        both = of_group, head.ranks(group, slice(0, 2))[[0, 1], rank]
        before = both if before is None else before
        head.learn(symbols)
    assert before is not None
    for first, last in zip(before, both):
        assert (last > first).all() and (last > 0.8).all()


def test_a_rate_of_nothing_changes_nothing():
    head, (a, r) = heads(TwoLevelHead, 2, 0.0), features(np.random.default_rng(1), 2)
    first, columns, master = head.step(a, r, slice(0, 2)), head.columns.copy(), head.master.copy()
    for _ in range(40):
        head.learn(np.array([5, 40], np.int32))
        assert np.array_equal(head.step(a, r, slice(0, 2)), first)
    assert np.array_equal(head.columns, columns) and np.array_equal(head.master, master)


def test_each_level_pulls_as_much_as_it_pushes():
    """Where rows have one scale: what was drawn and is the symbol's own counts for neither."""
    prior = small()
    tensors = {**prior.tensors(), "head.scale": np.full(72, 0.002, np.float32)}
    assert prior.levels
    head, moved = TwoLevelHead(tensors, 0.001, 1, prior.levels), False
    a, r = features(np.random.default_rng(2), 1)
    for symbol in range(8):
        before = head.master.astype(np.int64)
        head.step(a, r, slice(0, 1))
        head.learn(np.array([symbol], np.int32))
        change = head.master - before
        group, rank = head.levels.split(np.array([symbol], np.int32))
        inside = slice(8 + 8 * int(group[0]), 16 + 8 * int(group[0]))
        for level, own in ((slice(0, 8), group[0]), (inside, 8 + 8 * group[0] + rank[0])):
            # nine whole numbers, each rounded, times an activation
            assert (np.abs(change[level].sum(0)) <= (DRAWS + 1) / 2 * 127).all()
            moved |= bool(np.abs(change[own]).max() > 1 << (FRACTION - 8))
        change[:8] = change[inside] = 0
        assert not change.any(), "only the groups and what is in the symbol's own are taught"
    assert moved


@pytest.mark.parametrize(("symbols", "groups"), [(64, 8), (48, 3), (256, 16), (256, 128), (256, 2)])
@pytest.mark.parametrize("alike", [False, True], ids=["lanes", "lanes alike"])
@pytest.mark.parametrize("whole", [False, True], ids=["levels", "step"])
def test_the_compiled_head_gives_the_same_bits(symbols, groups, alike, whole):
    rng, lanes = np.random.default_rng(symbols + groups), 20 if alike else 5
    plain, fast = (heads(k, lanes, symbols=symbols, groups=groups) for k in (TwoLevelHead, CompiledTwoLevelHead))
    halves, start = [slice(0, 2), slice(2, lanes)], plain.columns.copy()
    for step in range(50):
        n = lanes if step < 40 else lanes - 1  # the last lane is shorter
        parts = [slice(some.start, min(some.stop, n)) for some in halves]
        a, r = features(rng, 1 if alike else n)
        a, r = np.repeat(a, n // len(a), 0), np.repeat(r, n // len(r), 0)
        symbols_now = (np.zeros(n) if alike else rng.integers(0, symbols, n)).astype(np.int32)
        group, _ = plain.levels.split(symbols_now)
        if whole:
            made = plain.step(a, r, slice(0, n))
            again = [fast.step(packed(a[some]), r[some, 0], some) for some in parts]
            assert np.array_equal(made, np.concatenate(again))
        else:
            made = plain.groups(a, r, slice(0, n))
            again = [fast.groups(packed(a[some]), r[some, 0], some) for some in parts]
            assert np.array_equal(made, np.concatenate(again))
            made = plain.ranks(group, slice(0, n))
            again = [fast.ranks(group[some], some) for some in parts]
            assert np.array_equal(made, np.concatenate(again))
        for head in (plain, fast):
            head.learn(symbols_now)
        assert np.array_equal(plain.drawn[:n], fast.drawn[:n])
        assert np.array_equal(plain.master, fast.master)
    assert not np.array_equal(plain.columns, start)


# ── coding ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", [{}, {"depth": 2, "grams": 64}, {"online": 0.0}, {"groups": 32, "depth": 2}], ids=str)
@pytest.mark.parametrize("lanes", [1, 3, 20, 40])
def test_every_kernel_and_any_threads_code_the_same_bytes(shape, lanes, monkeypatch):
    payloads = []
    for kernel, count in (("numpy", 1), ("compiled", 1), ("compiled", 2)):
        limit_threads(monkeypatch, count)
        prior = memory(kernel, **shape)
        assert (prior.loop(prior.init(lanes, len(ZIPF))) is not None) == (kernel == "compiled")
        payloads.append(encode(prior, ZIPF, lanes))
        assert np.array_equal(decode(prior, payloads[0], len(ZIPF), lanes), ZIPF)
    assert payloads[0] == payloads[1] == payloads[2]


@pytest.mark.parametrize("lanes", [1, 20])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_bare_network_codes_the_same_bytes(kernel, lanes, monkeypatch):
    limit_threads(monkeypatch, 2)
    plain, prior = small(), with_kernel(small(), kernel)
    payload = encode(prior, ZIPF, lanes)
    assert payload == encode(plain, ZIPF, lanes)
    assert np.array_equal(decode(prior, payload, len(ZIPF), lanes), ZIPF)


@pytest.mark.parametrize("tokens", [0, 1, 2, 19, 20, 21, 39, 41])
@pytest.mark.parametrize("count", [1, 2])
def test_few_tokens_in_many_lanes(tokens, count, monkeypatch):
    limit_threads(monkeypatch, count)
    payload = encode(memory("numpy"), ZIPF[:tokens], 20)
    prior = memory("compiled")
    assert encode(prior, ZIPF[:tokens], 20) == payload
    assert np.array_equal(decode(prior, payload, tokens, 20), ZIPF[:tokens])
    assert codec(prior, len(ZIPF[:tokens]), 20).score(ZIPF[:tokens]).shape == (tokens,)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 63), max_size=300), st.integers(1, 50), st.booleans())
def test_any_tokens_come_back(tokens, lanes, two):
    symbols = np.array(tokens, np.int32)
    with pytest.MonkeyPatch.context() as patch:
        limit_threads(patch, 1 + two)
        prior = memory("compiled")
        payload = encode(prior, symbols, lanes)
        assert np.array_equal(decode(prior, payload, len(symbols), lanes), symbols)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("at_once", [1, 40, 97])
def test_a_loop_goes_on_where_it_stopped(at_once, count, monkeypatch):
    limit_threads(monkeypatch, count)
    prior, reports = memory("compiled"), []
    whole = encode(prior, ZIPF, 20)
    for module in (symbolwise, class_factored):
        monkeypatch.setattr(module, "REPORT_EVERY", at_once)
    assert encode(prior, ZIPF, 20, reports.append) == whole
    assert len(reports) >= 5 and reports[-1] == len(ZIPF) and reports == sorted(reports)
    watched = []
    assert np.array_equal(decode(prior, whole, len(ZIPF), 20, watched.append), ZIPF)
    assert len(watched) >= 5 and sum(symbols.size for symbols in watched) == len(ZIPF)


@pytest.mark.parametrize("count", [1, 2])
def test_after_a_loop_the_state_is_what_steps_make_of_it(count, monkeypatch):
    """So that one can go on by the other."""
    limit_threads(monkeypatch, count)
    prior, rows, steps = memory("compiled"), 20, 19
    grid = Layout.of(400, 20).split(np.tile(ZIPF, 2)[:400])
    by_loop, by_steps = prior.init(rows, 400), prior.init(rows, 400)
    loop, everyone = prior.loop(by_loop), slice(0, rows)
    assert loop
    loop.encode(reference.Writer(), None, np.ascontiguousarray(grid[:, :steps]))
    previous = None
    for t in range(steps):
        prior.learn(by_steps, previous)
        prior.some_groups(by_steps, previous, everyone, lambda: None)
        prior.some_ranks(by_steps, prior.levels.split(grid[:, t])[0], everyone)
        previous = np.ascontiguousarray(grid[:, t])
    assert by_loop.seen == by_steps.seen and by_loop.base.head.count == by_steps.base.head.count
    made = []
    for state in (by_loop, by_steps):
        prior.learn(state, previous)
        groups = prior.some_groups(state, previous, everyone, lambda: None)
        made.append((groups, prior.some_ranks(state, prior.levels.split(grid[:, steps])[0], everyone)))
    for one, other in zip(*made):
        assert np.array_equal(one, other)
    for name in ("ctx", "pool", "size", "slot", "scale", "history"):
        assert np.array_equal(getattr(by_loop, name), getattr(by_steps, name)), name
    assert np.array_equal(by_loop.base.head.master, by_steps.base.head.master)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
@pytest.mark.parametrize("lanes", [3, 20])
def test_the_score_is_what_is_coded(kernel, wrapped, lanes):
    """And what the probabilities of all symbols say."""
    prior = with_kernel(MemoryPrior(small()) if wrapped else small(), kernel)
    bits = codec(prior, len(ZIPF), lanes).score(ZIPF)
    coded = 8 * len(encode(prior, ZIPF, lanes))
    assert bits.sum() * 0.995 - 40 <= coded <= bits.sum() * 1.005 + 40 + len(ZIPF) * 0.01
    assert np.allclose(bits, symbolwise.Symbolwise(prior, Frame(len(ZIPF), lanes)).score(ZIPF), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_two_levels_of_a_memory_are_its_mixture(kernel):
    """p(g) and p(r | g) of the counts, against p of all symbols from one state."""
    prior = memory(kernel)
    states = [prior.init(4, 400) for _ in range(2)]
    everyone, previous, levels = slice(0, 4), None, prior.levels
    for step in range(60):
        symbols = np.tile(ZIPF[: 4 * 15], 4)[4 * step : 4 * step + 4].astype(np.int32)
        whole = prior.step(states[0], previous, 4).astype(np.float64)
        prior.learn(states[1], previous)
        of_group = prior.some_groups(states[1], previous, everyone, lambda: None)
        group, rank = levels.split(symbols)
        inside = prior.some_ranks(states[1], group, everyone)
        assert np.allclose(inside.sum(1, dtype=np.float64), 1, atol=1e-5) and (inside > 0).all()
        by_place = whole[:, levels.symbol].reshape(4, levels.groups, levels.ranks)
        assert np.allclose(of_group, by_place.sum(2), rtol=1e-3, atol=1e-6)
        p = of_group[np.arange(4), group].astype(np.float64) * inside[np.arange(4), rank]
        assert np.allclose(p, whole[np.arange(4), symbols], rtol=2e-3, atol=1e-6)
        previous = symbols
    assert states[0].size[2] == states[1].size[2] > 200


@pytest.mark.parametrize(("symbols", "groups"), [(2048, 2), (2048, 1024)], ids=["wide groups", "many groups"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
def test_a_level_of_more_symbols_than_are_coded_in_one_step(symbols, groups, kernel, wrapped):
    """In more lanes than 16, where a pmf that wide is coded in two steps otherwise (`range_coder`)."""
    bare = small(symbols=symbols, groups=groups)
    prior = with_kernel(MemoryPrior(bare) if wrapped else bare, kernel)
    tokens = np.random.default_rng(1).integers(0, symbols, 200).astype(np.int32)
    payload = encode(prior, tokens, 20)
    assert np.array_equal(decode(prior, payload, 200, 20), tokens)


@pytest.mark.parametrize("groups", [1, 64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_level_of_one_symbol_is_refused_or_coded(groups, kernel):
    try:
        prior = memory(kernel, groups=groups)
    except ModelError:
        return
    payload = encode(prior, ZIPF, 3)
    assert np.array_equal(decode(prior, payload, len(ZIPF), 3), ZIPF)


def test_full_tables_keep_working(monkeypatch):
    from tokpress.priors import memory as module

    monkeypatch.setattr(module, "MAX_CONTEXTS", 64)
    monkeypatch.setattr(module, "MAX_POOL", 32)
    payloads = set()
    for kernel in KERNELS:
        prior = memory(kernel)
        payloads.add(encode(prior, ZIPF, 3))
        assert np.array_equal(decode(prior, next(iter(payloads)), len(ZIPF), 3), ZIPF)
    assert len(payloads) == 1


def test_a_surprise_after_certainty():
    """Six orders that are sure of a symbol leave the others next to nothing, in each level."""
    tokens = np.concatenate([np.full(3000, 7), np.random.default_rng(0).integers(0, 64, 60)]).astype(np.int32)
    payloads = set()
    for kernel in KERNELS:
        prior = memory(kernel)
        payloads.add(encode(prior, tokens, 1))
        assert np.array_equal(decode(prior, next(iter(payloads)), len(tokens), 1), tokens)
    assert len(payloads) == 1


# ── damage ──────────────────────────────────────────────────────────────────────────────────────────

DAMAGE = """
import contextlib, sys
import numpy as np
from tests.priors import test_two_level as here
from tokpress.errors import ChecksumError
from tokpress.priors import two_level_loop_kernel

two_level_loop_kernel.threads = lambda: int(sys.argv[1])
prior, raised = here.memory("compiled"), 0
payload = here.encode(prior, here.ZIPF, 20)
flips = [payload[:i] + bytes([payload[i] ^ 1 << i % 8]) + payload[i + 1 :] for i in range(0, len(payload) - 4, 3)]
noise = [np.random.default_rng(k).bytes(len(payload)) for k in range(4)]
cuts = [payload[:n] for n in range(0, len(payload) - 4, 5)]
for damaged in [b"", *flips, *cuts, *noise, bytes(400), b"\\xff" * 400]:
    try:
        assert not np.array_equal(here.decode(prior, damaged, len(here.ZIPF), 20), here.ZIPF)
    except ChecksumError:
        raised += 1
assert raised > len(cuts) // 2, raised
assert np.array_equal(here.decode(prior, payload, len(here.ZIPF), 20), here.ZIPF), "and goes on as if nothing was"
"""


@pytest.mark.parametrize("count", ["1", "2"])
def test_damage_ends_in_an_error_or_in_other_tokens(count):
    """In a process of its own: two threads that wait for each other could wait for ever."""
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, count], cwd=ROOT, capture_output=True, text=True, timeout=LAST_RESORT
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("kernel", KERNELS)
def test_steps_see_damage_too(kernel):
    prior = with_kernel(small(), kernel)
    payload = encode(prior, ZIPF, 5)
    for at in range(0, len(payload) - 4, 23):
        changed = payload[:at] + bytes([payload[at] ^ 16]) + payload[at + 1 :]
        with contextlib.suppress(ChecksumError):
            assert not np.array_equal(decode(prior, changed, len(ZIPF), 5), ZIPF)
    for cut in (payload[: len(payload) // 2], b""):
        with pytest.raises(ChecksumError):
            decode(prior, cut, len(ZIPF), 5)


@pytest.mark.parametrize("count", [1, 2])
def test_a_payload_that_is_cut_ends_soon_after_its_end(count, monkeypatch):
    """However many tokens are still said to come."""
    limit_threads(monkeypatch, count)
    prior, tokens = memory("compiled"), np.random.default_rng(3).integers(0, 64, 2000).astype(np.int32)
    payload = encode(prior, tokens, 20)
    for size in (0, 3, 100, 400):
        state = prior.init(20, 400_000)
        loop = prior.loop(state)
        assert loop
        with pytest.raises(ChecksumError):
            loop.decode(reference.start(payload[:size]), None, 20, 20_000)
        assert state.size[2] < 2 * size + 200, "tokens of a byte or so each, and what the zeros after them make"


# ── models ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "memory"])
def test_models_conform(kernel, wrapped, tmp_path):
    bare = tiny_two_level(grams=64)
    model = Model(BytesTokenizer(), MemoryPrior(bare) if wrapped else bare)
    check(model, tmp_path, kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_memory_of_a_memory(kernel):
    payloads = []
    for each in ("numpy", kernel):
        prior = with_kernel(MemoryPrior(MemoryPrior(small(), orders=(1, 2)), orders=(3,)), each)
        assert prior.loop(prior.init(3, len(ZIPF))) is None
        payloads.append(encode(prior, ZIPF, 20))
        assert np.array_equal(decode(prior, payloads[0], len(ZIPF), 20), ZIPF)
    assert payloads[0] == payloads[1]


@pytest.mark.parametrize("wrap", [lambda p: p, MemoryPrior, SpellingPrior], ids=["", "memory", "spelled"])
def test_a_product_with_one_or_two_of_two_levels(wrap):
    for other in (tiny_mingru(seed=1), tiny_two_level(groups=32, seed=1)):
        payloads = set()
        for kernel in KERNELS:
            model = Model(BytesTokenizer(), wrap(ProductPrior([tiny_two_level(), other], quarters=3)))
            payload, tokens, lanes = model.encode(TEXT, 20, kernel=kernel)
            assert model.decode(payload, tokens, lanes, kernel=kernel) == TEXT
            payloads.add(payload)
        assert len(payloads) == 1


@pytest.mark.parametrize(("tokens", "told"), [(40, None), (700, 1), (1_025, 2), (8_191, 8), (8_192, None)])
def test_few_lanes_where_there_are_few_tokens(tokens, told):
    """A lane that begins knows nothing. The frame says how many there are where the rule of the format says others."""
    source = (TEXT * 40)[:tokens]
    model = Model(BytesTokenizer(), MemoryPrior(tiny_two_level()))
    coded = choice.encode(model, source, choice.Options(), lambda done: None)
    assert coded.lanes == told and model.decode(coded.payload, coded.tokens, coded.lanes) == source
    assert 8 * len(coded.payload) == pytest.approx(model.score(source, lanes=None).total_bits, rel=0.02, abs=40)
    assert Model(BytesTokenizer(), MemoryPrior(tiny_mingru())).encode(source)[2] == model.prior.lanes(tokens)


def test_no_more_lanes_than_tokens():
    """A header with more is against the rule: `--lanes 4096` failed on short files as if they were damaged."""
    model = Model(BytesTokenizer(), MemoryPrior(tiny_two_level()))
    assert choice.encode(model, TEXT[:20], choice.Options(lanes=4096), lambda done: None).lanes == 20
    text = b"a sentence that the text model knows better than any other does."
    for lanes in (17, 4096):
        coded = tokpress.compress(text, "text", lanes)
        assert len(coded) < len(text) and tokpress.decompress(coded) == text


def test_two_levels_spelled():
    """Tokens that are spelled need the probabilities of all."""
    payloads = {}
    for kernel in KERNELS:
        model = Model(BytesTokenizer(), SpellingPrior(MemoryPrior(tiny_two_level())))
        payload, tokens, lanes = model.encode(TEXT, 20, kernel=kernel)
        assert model.decode(payload, tokens, lanes, kernel=kernel) == TEXT
        payloads[kernel] = payload
    assert payloads["numpy"] == payloads["compiled"]


def test_samples_are_drawn_from_all_symbols():
    prior = memory("compiled")
    drawn = codec(prior, 60, 2).sample(60, seed=1)
    assert np.array_equal(drawn, codec(memory("numpy"), 60, 2).sample(60, seed=1))
    assert len(set(drawn.tolist())) > 5


def test_the_compiled_memory_is_what_the_loop_calls():
    assert set(memory_kernel.CALLED) >= {"look_up", "mix_groups", "mix_ranks", "learn"}
    assert set(memory_kernel.compiled()) == set(memory_kernel.CALLED)
