"""The steps of a memory over a minGRU with two levels, compiled as one loop for two threads (memory.py, mingru.py and
two_level_head.py have the formulas). It computes what `some_groups` and `some_ranks` give, bit for bit; a test compares them.

    thread 0    learn │ features of few lanes │ groups │ code them │ ranks │ code them │ learn …
    thread 1    features of the others        │ groups │ wait      │ ranks │ wait      │ features …

In decoding, threads meet at each of these lines (`exact.turns`); only one can learn and code, so it has fewer lanes of features, and
half of the groups and ranks. In encoding each goes through all three with its own lanes, and they meet twice.
Lanes n, G groups of R symbols.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..coding.coders import reference
from ..coding.coders.reference import add_up, interval, marks, pop_of, push
from ..errors import ChecksumError
from ..exact import jit, turns
from ..exact.threads import run_both, threads
from ..types import Tokens
from . import memory_kernel
from .mingru_kernel import features
from .online_kernel import _conditionals, _round
from .two_level_kernel import _ranks, _teach

_jit = jit.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
_memory = memory_kernel.compiled()
_look_up, _mix_groups, _mix_ranks, _count = (_memory[name] for name in ("look_up", "mix_groups", "mix_ranks", "learn"))


class Network(NamedTuple):
    """State of the minGRU, n lanes."""

    last_mix: np.ndarray
    h: np.ndarray
    last_ff: np.ndarray
    last: np.ndarray


class Head(NamedTuple):
    """Of `CompiledTwoLevelHead`; `settings`: G, whether it learns, steps after which weights are rounded anew."""

    packed: np.ndarray
    first: np.ndarray
    scale: np.ndarray
    bias: np.ndarray
    master: np.ndarray
    unit: np.ndarray
    touched: np.ndarray
    counts: np.ndarray
    a: np.ndarray
    r: np.ndarray
    drawn: np.ndarray
    settings: np.ndarray


class Memory(NamedTuple):
    """State of the memory, and of its base's conditionals."""

    ctx: np.ndarray
    pool: np.ndarray
    size: np.ndarray
    slot: np.ndarray
    hashes: np.ndarray
    scale: np.ndarray
    history: np.ndarray
    orders: np.ndarray
    parts: np.ndarray
    work: np.ndarray
    places: np.ndarray
    of_group: np.ndarray
    inside: np.ndarray
    left: np.ndarray


class Step(NamedTuple):
    """What threads hand over within a step."""

    place: np.ndarray  # [n] of the last symbols, −1 where there is none yet
    group: np.ndarray  # [n]
    group_sums: np.ndarray  # [n, …] of their rows (`reference.add_up`)
    rank_sums: np.ndarray
    symbol: np.ndarray  # [V], at each place
    counts: np.ndarray  # of the threads (`exact.turns`)
    looks: np.ndarray  # [2]: how often each looked at the other's


@_jit
def _learn(head, memory, step, seen, count):
    """From the places [n] of the last symbols."""
    n, groups = step.place.shape[0], head.settings[0]
    ranks = memory.inside.shape[1]
    p = np.empty(n, np.float32)
    for i in range(n):
        group = step.place[i] // ranks
        p[i] = memory.of_group[i, group] * memory.inside[i, step.place[i] - group * ranks]
    if head.settings[1]:
        own = np.empty((n, 2), np.int32)
        for i in range(n):
            own[i, 0] = step.place[i] // ranks
            own[i, 1] = groups + step.place[i]
        a = head.a[:, : head.master.shape[1]]
        _teach(head.master, head.unit, a, head.r, head.drawn, own, head.touched, head.counts)
        if count % head.settings[2] == 0:
            _round(head.master, head.touched, head.packed, head.first)
    m = memory
    _count(m.ctx, m.pool, m.size, m.slot, m.hashes, m.scale, m.history, m.orders, p, step.place, seen, m.work, m.places)


@_jit
def _features(w, network, places, symbol, begin, start, stop, a, r):
    given = np.empty(stop - start, np.int32)
    for i in range(stop - start):
        given[i] = begin if places[i] < 0 else symbol[places[i]]
    features(w, given, network.last_mix, network.h, network.last_ff, network.last, start, stop, a, r)


@_jit
def _hand_over(a, r, start, head):
    """Features to the head, for lanes from `start` on. (Assigned as slices they would take numba 5 seconds more to compile, for the
    message of the error that their shapes differ.)"""
    for i in range(a.shape[0]):
        head.r[start + i] = r[i]
        for c in range(a.shape[1]):
            head.a[start + i, c] = a[i, c]


@_jit
def _predict_groups(head, memory, step, shift, seen, count, start, stop, out):
    """p(g) of lanes start … stop − 1 into out [n, G], and its sums."""
    m, groups, block = memory, head.settings[0], head.packed.shape[2]
    blocks = -(-groups // block)
    of_network, some = m.of_group[start:stop], slice(start, stop)
    _conditionals(
        head.packed[:blocks], head.first[: blocks * block], head.scale[:groups], head.bias[:groups], head.a[some],
        head.r[some], start, stop - start, count, of_network, head.drawn[some],
    )  # fmt: skip
    _look_up(m.ctx, m.pool, m.slot, m.hashes, m.history, m.orders, seen, start, stop)
    _mix_groups(m.ctx, m.pool, m.slot, m.scale, shift, of_network, out[some], m.parts, m.left, start, stop)
    add_up(out[some], step.group_sums[some])


@_jit
def _predict_ranks(head, memory, step, count, start, stop, out):
    """p(r | g) of lanes start … stop − 1 into out [n, R], and its sums."""
    m, some = memory, slice(start, stop)
    inside, group = m.inside[some], step.group[some]
    _ranks(
        head.packed, head.first, head.scale, head.bias, head.a[some], head.r[some], group, head.settings[0], start,
        count, head.settings[1], inside, head.drawn[some],
    )  # fmt: skip
    _mix_ranks(m.ctx, m.pool, m.slot, group, m.of_group, inside, out[some], m.parts, m.left, start, stop)
    add_up(out[some], step.rank_sums[some])


@_jit
def decode(
    thread, split, w, network, head, memory, step, shift, begin, seen, count, of_group, of_rank, words, decoder, out
):  # fmt: skip
    """`out` [n, steps] places, read from the coder's words; `seen` symbols of each lane came before, `count` steps of the head.
    False where the words are damaged. Thread 0 has features of lanes 0 … split − 1, groups and ranks of one half, thread 1 the
    others; it may be the only one."""
    n, steps = out.shape
    start, stop, two = (0, split, split < n) if thread == 0 else (split, n, True)
    half = n // 2 if two else n
    mine, other = (slice(0, half), 1) if thread == 0 else (slice(half, n), 0)
    counts, looks, ranks = step.counts, 0, of_rank.shape[1]
    a, r = np.zeros((stop - start, head.a.shape[1]), np.uint8), np.empty(stop - start, np.float32)
    for t in range(steps):
        told = 5 * t
        if thread == 0 and step.place[0] >= 0:
            _learn(head, memory, step, seen + t - 1, count + t)
        if thread == 0:
            turns.post(counts, 0, told + 1)
        _features(w, network, step.place[start:stop], step.symbol, begin, start, stop, a, r)
        if thread == 1:
            looks += turns.wait(counts, 0, told + 1)
        _hand_over(a, r, start, head)
        turns.post(counts, thread, told + 2)
        if two:
            looks += turns.wait(counts, other, told + 2)
        _predict_groups(head, memory, step, shift, seen + t, count + t, mine.start, mine.stop, of_group)
        if thread == 0:
            if two:
                turns.wait(counts, 1, told + 3)
            for i in range(n):
                step.group[i] = pop_of(words, decoder, of_group[i], step.group_sums[i])
                if step.group[i] < 0:
                    turns.post(counts, 0, turns.OVER)
                    return False
            turns.post(counts, 0, told + 4)
        else:
            turns.post(counts, 1, told + 3)
            turns.wait(counts, 0, told + 4)
            if turns.over(counts, 0):
                return False
        _predict_ranks(head, memory, step, count + t, mine.start, mine.stop, of_rank)
        if thread == 0:
            if two:
                turns.wait(counts, 1, told + 5)
            for i in range(n):
                rank = pop_of(words, decoder, of_rank[i], step.rank_sums[i])
                if rank < 0:
                    turns.post(counts, 0, turns.OVER)
                    return False
                step.place[i] = step.group[i] * ranks + rank
                out[i, t] = step.place[i]
            turns.post(counts, 0, told + 5)
        else:
            turns.post(counts, 1, told + 5)
            turns.wait(counts, 0, told + 5)
            if turns.over(counts, 0):
                return False
    step.looks[thread] = looks
    return True


@_jit
def encode(
    thread, split, w, network, head, memory, step, shift, begin, seen, count, of_group, of_rank, intervals, words, encoder, places
):  # fmt: skip
    """`decode`, of places [n, steps] that are known: thread 1 need not wait for the coder, and each finds the intervals [n, 4] of
    its own lanes. There must be room for two words a symbol."""
    n, steps = places.shape
    start, stop, two = (0, split, split < n) if thread == 0 else (split, n, True)
    counts, looks, ranks = step.counts, 0, of_rank.shape[1]
    a, r = np.zeros((stop - start, head.a.shape[1]), np.uint8), np.empty(stop - start, np.float32)
    before = step.place[start:stop].copy()
    for t in range(steps):
        told = 2 * t
        if thread == 0:
            if step.place[0] >= 0:
                _learn(head, memory, step, seen + t - 1, count + t)
            turns.post(counts, 0, told + 1)
        _features(w, network, before, step.symbol, begin, start, stop, a, r)
        if thread == 1:
            looks += turns.wait(counts, 0, told + 1)
        _hand_over(a, r, start, head)
        _predict_groups(head, memory, step, shift, seen + t, count + t, start, stop, of_group)
        for i in range(start, stop):
            step.group[i] = places[i, t] // ranks
            intervals[i, 0], intervals[i, 1] = interval(of_group[i], step.group[i], step.group_sums[i])
        _predict_ranks(head, memory, step, count + t, start, stop, of_rank)
        for i in range(start, stop):
            rank = places[i, t] - step.group[i] * ranks
            intervals[i, 2], intervals[i, 3] = interval(of_rank[i], rank, step.rank_sums[i])
            before[i - start] = places[i, t]
        if thread == 1:
            turns.post(counts, 1, told + 2)
            continue
        if two:
            looks += turns.wait(counts, 1, told + 2)
        for part in range(0, 4, 2):
            for i in range(n):
                push(words, encoder, intervals[i, part], intervals[i, part + 1])
        for i in range(n):
            step.place[i] = places[i, t]
    step.looks[thread] = looks
    return True


#: of the lanes, what thread 0 has features of at first: where it is ready when the other one is, about
FIRST_SHARE = 0.4


class Loop:
    """The steps of a frame. The memory's state and its base's stay what stepping would have made of them."""

    def __init__(self, prior: Any, state: Any) -> None:
        m, of_base, (_, self.w) = state, state.base, state.base.engine.compiled
        head, levels = of_base.head, state.levels
        self.prior, self.state, self.levels = prior, state, prior.levels
        self.network = Network(of_base.last_mix, of_base.h, of_base.last_ff, of_base.last)
        settings = np.array([self.levels.groups, head.learns, head.every], np.int64)
        self.head = Head(
            head.packed, head.first, head.scale, head.bias, head.master, head.unit, head.touched, head.counts, head.a,
            head.r, head.drawn, settings,
        )  # fmt: skip
        self.memory = Memory(
            m.ctx,
            m.pool,
            m.size,
            m.slot,
            m.hashes,
            m.scale,
            m.history,
            prior.orders,
            m.parts,
            m.work,
            m.places,
            *levels,
        )
        lanes = len(head.r)
        self.share = FIRST_SHARE
        self.of_group = np.empty((lanes, self.levels.groups), np.float32)
        self.of_rank = np.empty((lanes, self.levels.ranks), np.float32)
        self.group, self.looks = np.zeros(lanes, np.int32), np.zeros(2, np.int64)
        sizes = self.levels.groups, self.levels.ranks
        self.group_sums, self.rank_sums = (np.empty((lanes, marks(size)), np.float32) for size in sizes)

    def decode(self, coder: Any, previous: Tokens | None, rows: int, steps: int) -> Tokens:
        """The next symbols [rows, steps] from `coders.reference` words and decoder. Raises ChecksumError."""
        out = np.empty((rows, steps), np.int32)
        if not self._run(decode, previous, rows, steps, self.of_rank, *coder, out):
            raise ChecksumError("the coded words are damaged")
        return self.levels.symbol[out]

    def encode(self, writer: reference.Writer, previous: Tokens | None, symbols: Tokens) -> None:
        """The next symbols [rows, steps], which are known, to a `coders.reference` writer."""
        writer.reserve(2 * symbols.size)
        intervals = np.empty((len(symbols), 4), np.int64)
        rest = self.of_rank, intervals, writer.words, writer.encoder, self.levels.place[symbols]
        self._run(encode, previous, *symbols.shape, *rest)

    def _run(self, steps_of: Callable[..., bool], previous: Tokens | None, rows: int, steps: int, *rest: Any) -> bool:
        known, head, m = previous is not None, self.state.base.head, self.state
        place = np.full(rows, -1, np.int32) if previous is None else self.levels.place[previous[:rows]]
        two = self.prior.shares_rows(rows) and threads() > 1
        split = max(1, min(rows - 1, round(self.share * rows))) if two else rows
        step = Step(place, self.group, self.group_sums, self.rank_sums, self.levels.symbol, turns.counts(), self.looks)
        bundles = self.w, self.network, self.head, self.memory, step
        settings = self.prior.shift, self.prior.base.begin, m.seen + known, head.count + known, self.of_group

        def run(thread: int) -> bool:
            try:
                return steps_of(thread, split, *bundles, *settings, *rest)
            except BaseException:  # the other one must not wait for ever
                turns.end(step.counts, thread)
                raise

        done = all(run_both(run, lambda: turns.end(step.counts, 0)) if two else [run(0)])
        if two:  # whoever waits longer has too few lanes
            self.share += int(np.sign(self.looks[0] - self.looks[1])) / rows
        m.seen += steps - 1 + known
        head.count += steps - 1 + known
        head.since = head.count % head.every
        return done
