"""The counts of a memory: contexts, their successors, and the strengths s_k (memory.py has the formulas).

core/text_memory.h computes the same, bit for bit. Every float is a float32, and every product and sum is rounded on its own. A table
of S rows holds the contexts. The hash of a context gives its first row; the first of `TRIES` rows from there that holds its key or is
free belongs to it. A full table takes no new contexts, and a pool without a free block takes no new successors.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...tokens import Tokens

F = np.float32
ZERO, ONE = F(0), F(1)
RATE, DISCOUNT = F(0.15), F(0.5)
LOW, HIGH = F(0.05), F(4000)
TINY = F(2.0**-100)
MAX_CONTEXTS = 1 << 22
MAX_POOL = 1 << 22
#: a context stops counting at this sum
MAX_COUNT = 30000
TRIES = 16
#: smallest block of successors; a full block moves to one of twice the size
BLOCK = 4


def power_of_two(n: int) -> int:
    return 1 << max(n - 1, 1).bit_length()


def bucket(n: int, d: int) -> tuple[int, int]:
    """(bucket of n: powers of two up to 2^9, bucket of d: 1, 2, 3–4, 5–8 …)"""
    return min(n.bit_length() - 1, 9), min((d - 1).bit_length(), 5)


def hash_contexts(history: NDArray[np.int32], orders: list[int], mask: int) -> tuple[NDArray[np.int64], ...]:
    """(first row, key) [n, K] of the context of each lane and order. history [n, …]: the last symbols, the newest first."""
    order = np.array(orders, np.int64)
    h = np.tile(order * 0x3C6EF372 & 0x7FFFFFFF, (len(history), 1))
    for age in range(max(orders)):
        mixed = ((h ^ history[:, age, None]) * 0x2545F491 + 0x1B873593) & 0x7FFFFFFF
        h = np.where(age < order, mixed ^ mixed >> 15, h)
    return (h * 0x5851F42D >> 9) & mask, h | 1


@dataclass
class Context:
    """successors: symbol → count, in the order of first occurrence. n: sum of the counts."""

    key: int
    n: int
    successors: dict[int, int] = field(default_factory=dict)


class Learned:
    """What all lanes of a frame share: the table and the strengths. rows, pool: room for contexts and for successors."""

    def __init__(self, depth: int, tokens: int) -> None:
        self.rows = min(power_of_two(3 * depth * tokens // 2 + 64), MAX_CONTEXTS)
        self.pool = min(power_of_two(2 * depth * tokens + 64), MAX_POOL)
        self.table: dict[int, Context] = {}
        self.pool_used = 0
        self.scale = np.full((depth, 10, 6), 30, np.float32)
        self.scale[:, :, 0] = 8


class Counts:
    """The counts of a frame. `step` takes the pmf of all symbols from the base; `class_pmf` and `member_pmf` take those of a class-factored
    base, where symbol v is in class v >> shift. `step` and `class_pmf` first learn the symbols of the step before, unless `learn` has."""

    def __init__(self, orders: list[int], lanes: int, tokens: int, shift: int = 0) -> None:
        self.orders, self.shift, self.learned = orders, shift, Learned(len(orders), tokens)
        self._begin_lanes(lanes)

    def beside(self, lanes: int) -> "Counts":
        """The counts of further lanes, which share all that is learned."""
        other = copy.copy(self)
        other._begin_lanes(lanes)
        return other

    def _begin_lanes(self, lanes: int) -> None:
        self.seen = 0
        self.history = np.zeros((lanes, max(self.orders)), np.int32)
        #: pmf of the base in the last step, of symbols, or of classes and of members; () once its symbols are learned
        self.base: tuple[Pmf, ...] = ()
        #: for each lane and order: the context or None, and its (first row, key)
        self.contexts: list[list[Context | None]] = []
        self.hashes: list[list[tuple[int, int]]] = []
        #: weight of a count for each lane and order, and weight of the base for each lane
        self.parts: list[list[np.float32]] = []
        self.base_weight = np.zeros(lanes, np.float32)

    def step(self, previous: Tokens | None, p0: Pmf) -> Pmf:
        """p_K [n, V] of all symbols, from p_0 [n, V]."""
        return self._begin(previous, p0, 0)

    def class_pmf(self, previous: Tokens | None, p0: Pmf) -> Pmf:
        """p_K [n, C] of classes."""
        return self._begin(previous, p0, self.shift)

    def member_pmf(self, of_class: Tokens, p0: Pmf) -> Pmf:
        """p_K [n, M] of the members of the class of each lane, normalised. p0 [n, M]: from the base."""
        class_pmf, members = self.base[0], p0.shape[1]
        self.base = class_pmf, p0.copy()
        lanes = np.arange(len(p0))
        out: Pmf = p0 * (class_pmf[lanes, of_class] * self.base_weight[lanes])[:, None]
        for lane, (row, c) in enumerate(zip(out, of_class.tolist())):
            for v, counted in self._counted(lane):
                in_class = v >> self.shift == c
                row[v[in_class] & (members - 1)] += counted[in_class]
        np.maximum(out, TINY, out=out)
        out /= np.cumsum(out, axis=1, dtype=np.float32)[:, -1:]  # a sum in the order of members
        return out

    def _begin(self, previous: Tokens | None, p0: Pmf, shift: int) -> Pmf:
        if previous is not None and self.base:
            self.learn(previous)
        self.base = (p0.copy(),)
        self._look_up(len(p0))
        out = p0 * self.base_weight[: len(p0), None]
        for lane, row in enumerate(out):
            for v, counted in self._counted(lane):
                np.add.at(row, v >> shift, counted)  # in order
        return out

    def _look_up(self, rows: int) -> None:
        """Find the contexts of all lanes, and weigh their counts."""
        places = hash_contexts(self.history[:rows], self.orders, self.learned.rows - 1)
        self.hashes = [list(zip(*lane)) for lane in zip(*(part.tolist() for part in places))]
        self.contexts = [
            [self._find(*hashed)[0] if order <= self.seen else None for order, hashed in zip(self.orders, lane)]
            for lane in self.hashes
        ]
        self.parts = [self._weigh(lane, contexts) for lane, contexts in enumerate(self.contexts)]

    def _find(self, at: int, key: int) -> tuple[Context | None, int | None]:
        """(context, None), or (None, free row) for a new context; (None, None) where all `TRIES` rows hold other contexts."""
        for i in range(TRIES):
            row = (at + i) & (self.learned.rows - 1)
            if (context := self.learned.table.get(row)) is None:
                return None, row
            if context.key == key:
                return context, None
        return None, None

    def _weigh(self, lane: int, contexts: list[Context | None]) -> list[np.float32]:
        parts, weight = [ZERO] * len(contexts), ONE
        for k in reversed(range(len(contexts))):
            if context := contexts[k]:
                n, d = context.n, len(context.successors)
                s = self.learned.scale[(k, *bucket(n, d))]
                inverse = ONE / (F(n) + s)
                parts[k] = weight * inverse
                weight = weight * ((s + DISCOUNT * F(d)) * inverse)
        self.base_weight[lane] = weight
        return parts

    def _counted(self, lane: int) -> list[tuple[NDArray[np.int64], Pmf]]:
        """(symbols, the terms of their counts) of each context of a lane."""
        out = []
        for context, part in zip(self.contexts[lane], self.parts[lane]):
            if context:
                d = len(context.successors)
                symbols = np.fromiter(context.successors.keys(), np.int64, d)
                out.append((symbols, (np.fromiter(context.successors.values(), np.float32, d) - DISCOUNT) * part))
        return out

    def learn(self, symbols: Tokens) -> None:
        """Learn the symbols of the last step: adapt the strengths, then count, in the order of lanes."""
        lanes = np.arange(len(symbols))
        if len(self.base) == 1:
            p0 = self.base[0][lanes, symbols]
        else:
            class_pmf, member_pmf = self.base
            p0 = class_pmf[lanes, symbols >> self.shift] * member_pmf[lanes, symbols & (member_pmf.shape[1] - 1)]
        for contexts, symbol, p in zip(self.contexts, symbols.tolist(), p0):
            self.adapt(contexts, symbol, p)
        for contexts, hashes, symbol in zip(self.contexts, self.hashes, symbols.tolist()):
            for order, context, (at, key) in zip(self.orders, contexts, hashes):
                if order <= self.seen:
                    self._count(context, at, key, symbol)
        rows = self.history[: len(symbols)]
        rows[:, 1:] = rows[:, :-1].copy()
        rows[:, 0] = symbols
        self.seen += 1
        self.base = ()

    def adapt(self, contexts: list[Context | None], symbol: int, p: np.float32) -> None:
        """One gradient step on ln s_k of each order with a context, towards a larger p_K(symbol). p: p_0(symbol).

        ∂ ln p_K / ∂ ln s_k = s_k·W_k·(p_{k−1} − p_k) / ((n_k + s_k)·p_K),  W_k = Π_{j>k} s_j/(n_j + s_j)
        """
        seen = []
        for k, context in enumerate(contexts):
            if context:
                n, d, c = context.n, len(context.successors), context.successors.get(symbol, 0)
                at = (k, *bucket(n, d))
                s = self.learned.scale[at]
                inverse, strength = ONE / (F(n) + s), s + DISCOUNT * F(d)
                before, p = p, (max(F(c) - DISCOUNT, ZERO) + strength * p) * inverse
                seen.append((at, s, inverse, strength, before, p))
        if not seen or p < TINY:  # 1 / p may be infinite
            return
        weight = ONE / p
        for at, s, inverse, strength, before, after in reversed(seen):
            g = min(max(s * inverse * weight * (before - after), -ONE), ONE)
            self.learned.scale[at] = min(max(s * (ONE + RATE * g), LOW), HIGH)
            weight = weight * (strength * inverse)

    def _count(self, context: Context | None, at: int, key: int, symbol: int) -> None:
        """Count a symbol in a context, or in a new one. A full table takes no new contexts."""
        free = None
        if context is None:  # another lane may have made it
            context, free = self._find(at, key)
        if context is None:
            if free is not None and len(self.learned.table) < self.learned.rows - self.learned.rows // 8:
                self.learned.table[free] = Context(key, 1, {symbol: 1})
            return
        if context.n >= MAX_COUNT:
            return
        if symbol not in context.successors:
            d = len(context.successors)
            size = BLOCK if d == 1 else 2 * d if d >= BLOCK and d & (d - 1) == 0 else 0
            if self.learned.pool_used + size > self.learned.pool:
                return
            self.learned.pool_used += size
        context.successors[symbol] = context.successors.get(symbol, 0) + 1
        context.n += 1
