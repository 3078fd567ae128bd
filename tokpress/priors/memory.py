"""A memory over any prior: counts of what this frame has already coded, with the prior as base measure.

    p_0 = base prior,   p_k(v) = (max(c_k(v) − δ, 0) + (s_k + δ·d_k) · p_{k−1}(v)) / (n_k + s_k)

for the context orders k. c_k(v) counts v after the last k tokens anywhere in the frame, n_k = Σ_v c_k(v),
d_k = how many v have c_k(v) > 0, δ = ½. This is the hierarchical Pitman–Yor predictive rule with one table
per dish (Teh 2006, §4: interpolated Kneser–Ney); δ = 0 is the hierarchical Dirichlet rule (MacKay & Peto
1995). The strengths s_k are shared by
contexts with like n_k and like number of distinct successors and learn online, by gradient on ln s_k of
the log loss. All lanes share the counts: before step t both sides know every lane's tokens before t,
so cutting a file into lanes costs the memory almost nothing.

Cost per token: one scaling of the V-vector plus the successors of the contexts seen. The tables are
bounded (`MAX_CONTEXTS`, `MAX_POOL`): a full table keeps what it has and adapts its counts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..coding import Codec, Frame, row_wise
from ..coding.levels import Levels, levels_of
from ..errors import ModelError, TokpressError
from ..lazy import lazy, np
from ..model_files import check_settings
from ..tokens import TokenBuffer
from ..types import Config, NotStepped, Pmf, Prior, Tokenizer, Tokens
from .several import kind_of
from .text_core import in_core

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..training.options import FitOptions
    from ..training.streams import Source
    from .two_level_loop_kernel import Loop

MAX_CONTEXTS = 1 << 22
MAX_POOL = 1 << 22
#: tokens of a frame from which the kernel runs compiled, not as plain Python
COMPILE_FROM = 6000
ORDERS = (1, 2, 3, 4, 6, 10)
#: memories around memories
MOST_NESTED = 4
#: at most so many orders, and none above it
MAX_ORDER = 64


class LevelState(NamedTuple):
    """Of a base with two levels, where groups are coded first."""

    of_group: NDArray[np.float32]  # [B, G], the base's
    inside: NDArray[np.float32]  # [B, R], the base's
    left: NDArray[np.float32]  # [B]: what the counts leave to the base

    @classmethod
    def of(cls, lanes: int, levels: Levels) -> LevelState:
        sizes = (lanes, levels.groups), (lanes, levels.ranks), (lanes,)
        return cls(*(np.zeros(size, np.float32) for size in sizes))


@dataclass
class State:
    base: Any
    kernel: dict
    ctx: np.ndarray
    pool: np.ndarray
    size: np.ndarray
    slot: np.ndarray
    hashes: np.ndarray  # [B, K, 2] first slot and key, of the same contexts
    scale: np.ndarray
    history: np.ndarray
    out: np.ndarray
    parts: np.ndarray
    work: np.ndarray
    places: np.ndarray
    levels: LevelState | None
    seen: int = 0
    #: the base prior's last conditionals, by their first lane
    p0: dict[int, np.ndarray] = field(default_factory=dict)


def power_of_two(n: int) -> int:
    return 1 << max(n - 1, 1).bit_length()


class MemoryPrior(Prior):
    name = "memory"

    def __init__(self, base: Prior, orders: tuple[int, ...] = ORDERS):
        if not 1 <= len(orders) <= MAX_ORDER or not all(1 <= k <= MAX_ORDER for k in orders):
            raise ValueError(f"orders must be 1 … {MAX_ORDER} numbers from 1 to {MAX_ORDER}, not {str(orders)[:60]}")
        if isinstance(base, NotStepped):
            raise ModelError(f"the prior {base.name} takes no memory: it does not predict one symbol after the other")
        self.base = base
        self.vocab_size, self.stride, self.order = base.vocab_size, base.stride, base.order
        self.wants_given, self._orders = base.wants_given, orders

    @lazy
    def orders(self) -> NDArray[np.int32]:
        return np.array(self._orders, np.int32)

    @lazy
    def levels(self) -> Levels | None:
        return levels_of(self.base)

    @property
    def shift(self) -> int:
        """What takes a symbol's place to its group."""
        return 0 if self.levels is None else self.levels.ranks.bit_length() - 1

    def lanes(self, tokens: int) -> int:
        return self.base.lanes(tokens)

    def lanes_taken(self, tokens: int) -> int:
        return self.base.lanes_taken(tokens)

    def bind(self, given: TokenBuffer) -> MemoryPrior:
        return MemoryPrior(self.base.bind(given), self._orders)

    def for_frame(self, frame: Frame) -> MemoryPrior:
        bound = copy.copy(self)
        bound.base = self.base.for_frame(frame)
        return bound

    def codec(self, frame: Frame) -> Codec:
        return in_core(self, frame, self._twin)

    def _twin(self, frame: Frame) -> Codec:
        from ..coding.class_factored import ClassFactored
        from ..coding.symbolwise import Symbolwise

        prior = self.for_frame(frame)
        return Symbolwise(prior, frame) if prior.levels is None else ClassFactored(prior, prior.levels, frame)

    def init(self, lanes: int, tokens: int) -> State:
        contexts = min(power_of_two(3 * len(self.orders) * tokens // 2 + 64), MAX_CONTEXTS)
        pool = min(power_of_two(2 * len(self.orders) * tokens + 64), MAX_POOL)
        scale = np.full((len(self.orders), 10, 6), 30.0, np.float32)
        scale[:, :, 0] = 8.0
        from . import memory_kernel as kernels  # compiled

        base = self.base.init(lanes, tokens)
        if tokens >= COMPILE_FROM or row_wise.runs_compiled(self.base):
            kernel = kernels.compiled()
        else:
            kernel = {name: getattr(kernels, name) for name in kernels.CALLED}
        return State(
            base=base,
            kernel=kernel,
            ctx=np.zeros((contexts, 4), np.int32),
            pool=np.zeros((pool, 2), np.int32),
            size=np.zeros(3, np.int64),
            slot=np.full((lanes, len(self.orders)), -1, np.int32),
            hashes=np.zeros((lanes, len(self.orders), 2), np.int64),
            scale=scale,
            history=np.zeros((lanes, int(self.orders.max())), np.int32),
            out=np.empty((lanes, self.vocab_size), np.float32),
            parts=np.zeros((lanes, len(self.orders)), np.float32),
            work=np.zeros((3, len(self.orders)), np.float32),
            places=np.zeros(len(self.orders), np.int32),
            levels=None if self.levels is None else LevelState.of(lanes, self.levels),
        )

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        if self.shares_rows(rows):
            row_wise.after_learning(self, state, previous, rows, lambda *some: self.some_rows(state, previous, *some))
        else:
            self._learn(state, previous)
            self._mix(state, self.base.step(state.base, previous, rows), slice(0, rows))
        return state.out[:rows]

    def stretch(self, state: State, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        if self.shares_rows(len(symbols)):
            yield from super().stretch(state, previous, symbols)
            return
        rows, t = len(symbols), 0
        for block in self.base.stretch(state.base, previous, symbols):
            for number, p0 in enumerate(block, 1):
                self._learn(state, previous)
                # learned from at the next step, when the base may have written the next block over this one
                self._mix(state, p0.copy() if number == len(block) else p0, slice(0, rows))
                yield state.out[None, :rows]
                previous = symbols[:, t].copy()
                t += 1

    def _mix(self, state: State, p0: Pmf, some: slice) -> None:
        """Look the contexts of some lanes up and add their counts."""
        m, k = state, state.kernel
        m.p0[some.start] = p0
        in_place = p0 if self.levels is None else np.ascontiguousarray(p0[:, self.levels.symbol])
        k["look_up"](m.ctx, m.pool, m.slot, m.hashes, m.history, self.orders, m.seen, some.start, some.stop)
        k["mix"](m.ctx, m.pool, m.slot, m.scale, in_place, m.out, m.parts, some.start, some.stop)
        if self.levels is not None:
            m.out[some] = m.out[some][:, self.levels.place]

    def shares_rows(self, rows: int) -> bool:
        return row_wise.shares_rows(self.base, rows)

    def learn(self, state: State, previous: Tokens | None) -> None:
        base: Any = self.base
        base.learn(state.base, previous)
        self._learn(state, previous)

    def some_rows(self, state: State, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        base: Any = self.base
        p0 = base.some_rows(state.base, previous, some, ready)
        ready()
        self._mix(state, p0, some)
        return state.out[some]

    def some_groups(self, state: State, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        base: Any = self.base
        p0 = base.some_groups(state.base, previous, some, ready)
        ready()
        m, k, levels, out = state, state.kernel, state.levels, np.empty_like(p0)
        assert levels and self.levels
        levels.of_group[some] = p0
        k["look_up"](m.ctx, m.pool, m.slot, m.hashes, m.history, self.orders, m.seen, some.start, some.stop)
        k["mix_groups"](
            m.ctx, m.pool, m.slot, m.scale, self.shift, p0, out, m.parts, levels.left, some.start, some.stop
        )
        return out

    def some_ranks(self, state: State, group: Tokens, some: slice) -> Pmf:
        base: Any = self.base
        inside = base.some_ranks(state.base, group, some)
        m, k, levels, out = state, state.kernel, state.levels, np.empty_like(inside)
        assert levels and self.levels
        levels.inside[some] = inside
        tables = m.ctx, m.pool, m.slot, group, levels.of_group, inside, out, m.parts, levels.left
        k["mix_ranks"](*tables, some.start, some.stop)
        return out

    def loop(self, state: State) -> Loop | None:
        """Its steps as one compiled loop, over a minGRU that is compiled."""
        engine = getattr(state.base, "engine", None)
        from . import memory_kernel as kernels  # compiled

        if engine is None or engine.compiled is None or state.kernel is not kernels.compiled():
            return None
        from .two_level_loop_kernel import Loop

        return Loop(self, state)

    def _p0(self, state: State, symbols: Tokens) -> NDArray[np.float32]:
        """The base's probabilities of the symbols [n] that came."""
        lanes = np.arange(len(symbols))
        if self.levels and not state.p0:
            group, rank = self.levels.split(symbols)
            assert state.levels
            return state.levels.of_group[lanes, group] * state.levels.inside[lanes, rank]
        p = np.empty(len(symbols), np.float32)
        for at, part in state.p0.items():
            some = symbols[at : at + len(part)]
            p[at : at + len(some)] = part[lanes[: len(some)], some]
        state.p0 = {}
        return p

    def _learn(self, state: State, previous: Tokens | None) -> None:
        if previous is not None:
            m, p = state, self._p0(state, previous)
            if self.levels is not None:  # counts are those of places, whose groups are beside each other
                previous = self.levels.place[previous]
            tables = (m.ctx, m.pool, m.size, m.slot, m.hashes, m.scale, m.history, self.orders)
            m.kernel["learn"](*tables, p, previous, m.seen, m.work, m.places)
            m.seen += 1

    @classmethod
    def fit(cls, sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions) -> Prior:
        raise TokpressError("a memory is wrapped around another prior: train that one with --memory")

    def config(self) -> Config:
        return {"orders": list(self._orders), "base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> MemoryPrior:
        check_settings(f"a {cls.name} prior", config, {"base", "orders"}, set())
        inside, orders = config["base"], config["orders"]
        for _ in range(MOST_NESTED):
            inside = inside.get("base") if isinstance(inside, dict) else None
        if inside:
            raise ModelError(f"config.json has a memory in a memory, more than {MOST_NESTED} times")
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
