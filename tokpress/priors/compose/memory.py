"""A memory over any prior: counts of what this frame has already coded, with the prior as base measure.

    p_0 = base prior,   p_k(v) = (max(c_k(v) − δ, 0) + (s_k + δ·d_k) · p_{k−1}(v)) / (n_k + s_k)

for the context orders k. c_k(v) counts v after the last k tokens anywhere in the frame, n_k = Σ_v c_k(v),
d_k = how many v have c_k(v) > 0, δ = ½. This is the hierarchical Pitman–Yor predictive rule with one table
per dish (Teh 2006, §4: interpolated Kneser–Ney); δ = 0 is the hierarchical Dirichlet rule (MacKay & Peto
1995). The strengths s_k are shared by
contexts with like n_k and like number of distinct successors and learn online, by gradient on ln s_k of
the log loss. All lanes share the counts: before step t both sides know every lane's tokens before t,
so lanes cost the memory almost nothing.

Cost per token: one scaling of the V-vector, and the successors of the contexts. Tables are bounded: a full table takes no new contexts.
`memory_counts.py` is the definition. The core codes whole frames (`priors.text.core`); where Python steps the base, the core computes
the counts (`native.memory`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ...coding import Codec, Frame
from ...coding.base import Pmf, step
from ...coding.classes import SymbolClasses, classes_of
from ...errors import ModelError
from ...lazy import lazy, np
from ...native import library
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import Prior, SteppedPrior
from ..text.core import in_core
from .parts import kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...coding.class_factored import FactoredPrior
    from ...native.memory import Memory
    from .memory_counts import Counts

ORDERS = (1, 2, 3, 4, 6, 10)
#: nested memories
MAX_NESTED = 4
#: largest order, and number of orders
MAX_ORDER = 64


@dataclass
class State:
    base: Any
    counts: Counts | Memory


class MemoryPrior(SteppedPrior):
    name = "memory"

    def __init__(self, base: Prior, orders: tuple[int, ...] = ORDERS):
        if not 1 <= len(orders) <= MAX_ORDER or not all(1 <= k <= MAX_ORDER for k in orders):
            raise ValueError(f"orders must be 1 … {MAX_ORDER} numbers from 1 to {MAX_ORDER}, not {str(orders)[:60]}")
        if not isinstance(base, SteppedPrior):
            raise ModelError(f"the prior {base.name} takes no memory: it is not stepped")
        self.base: SteppedPrior = base
        self.vocab_size, self.rules = base.vocab_size, base.rules
        self.orders = list(orders)
        #: "auto": the core computes the counts of a base that Python steps
        self.kernel = "auto"

    @lazy
    def classes(self) -> SymbolClasses | None:
        return classes_of(self.base)

    def for_frame(self, frame: Frame) -> MemoryPrior:
        bound = copy.copy(self)
        bound.base, bound.kernel = self.base.for_frame(frame), frame.kernel
        return bound

    def codec(self, frame: Frame) -> Codec:
        return in_core(self, frame)

    def init(self, lanes: int, tokens: int) -> State:
        from ...native.memory import MAX_SYMBOLS, Memory  # imports numpy
        from .memory_counts import Counts

        base = self.base.init(lanes, tokens)
        if self.classes is not None:
            return State(base, Counts(self.orders, lanes, tokens, self.classes.members.bit_length() - 1))
        if self.kernel == "auto" and self.vocab_size <= MAX_SYMBOLS and library.is_here():
            return State(base, Memory(self.orders, lanes, tokens, self.vocab_size))
        return State(base, Counts(self.orders, lanes, tokens))

    def init_groups(self, sizes: Sequence[int], tokens: int) -> list[State]:
        """All groups share the counts."""
        if len(sizes) == 1:
            return [self.init(sizes[0], tokens)]
        from .memory_counts import Counts  # imports numpy

        shift = 0 if self.classes is None else self.classes.members.bit_length() - 1
        first = Counts(self.orders, sizes[0], tokens, shift)
        counts = [first, *(first.beside(lanes) for lanes in sizes[1:])]
        return list(map(State, self.base.init_groups(sizes, tokens), counts))

    def learn(self, state: State, symbols: Tokens) -> None:
        self.base.learn(state.base, symbols)
        state.counts.learn(symbols if self.classes is None else self.classes.place[symbols])

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        return self.step_pair(state, previous, rows)[0]

    def step_pair(self, state: State, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        """(p_K, p_0) [n, V]: what `step` returns, and the base's probabilities."""
        p0, classes = step(self.base, state.base, previous, rows), self.classes
        if classes is None:
            return state.counts.step(previous, p0), p0
        in_place = state.counts.step(self._places(previous), np.ascontiguousarray(p0[:, classes.symbol]))
        return np.ascontiguousarray(in_place[:, classes.place]), p0

    def step_block(self, state: State, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        if self.classes is not None:
            yield from super().step_block(state, previous, symbols)
            return
        t = 0
        for block in self.base.step_block(state.base, previous, symbols):
            for p0 in block:
                yield state.counts.step(previous, p0)[None]
                previous = np.ascontiguousarray(symbols[:, t])
                t += 1

    def class_pmf(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        return self.class_pair(state, previous, rows)[0]

    def class_pair(self, state: State, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        """(p_K, p_0) [n, C] of classes."""
        p0: Pmf = cast("FactoredPrior", self.base).class_pmf(state.base, previous, rows)
        return state.counts.class_pmf(self._places(previous), p0), p0  # type: ignore[union-attr]

    def member_pmf(self, state: State, of_class: Tokens) -> Pmf:
        return self.member_pair(state, of_class)[0]

    def member_pair(self, state: State, of_class: Tokens) -> tuple[Pmf, Pmf]:
        """(p_K, p_0) [n, M] of the members of each lane's class."""
        p0: Pmf = cast("FactoredPrior", self.base).member_pmf(state.base, of_class)
        return state.counts.member_pmf(of_class, p0), p0  # type: ignore[union-attr]

    def _places(self, symbols: Tokens | None) -> Tokens | None:
        """The places of the symbols: the counts number members of a class consecutively."""
        return symbols if symbols is None or self.classes is None else self.classes.place[symbols]

    def config(self) -> Config:
        return {"orders": list(self.orders), "base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> MemoryPrior:
        check_settings(f"a {cls.name} prior", config, {"base", "orders"}, set())
        inner, orders = config["base"], config["orders"]
        for _ in range(MAX_NESTED):
            inner = inner.get("base") if isinstance(inner, dict) else None
        if inner:
            raise ModelError(f"config.json has a memory in a memory, more than {MAX_NESTED} times")
        if not isinstance(orders, list) or not all(type(k) is int for k in orders):
            raise ModelError(
                f"config.json: orders of a memory should be a list of whole numbers, not {str(orders)[:60]}"
            )
        kind, settings = kind_of(config["base"])
        base = kind.load(settings, tensors, vocab_size)
        try:
            return cls(base, tuple(orders))
        except ValueError as error:
            raise ModelError(f"config.json: {error}") from None
