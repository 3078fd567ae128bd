"""minGRU: a channel-recurrent prior, L blocks of a diagonal recurrence and a gated feed-forward layer.

    u_t = norm(μ·x_t + (1 − μ)·x_{t−1})                      token shift (RWKV-4), RMS norm
    f, c, o = W_mix u_t,   f ← g(f + b)                      g(x) = ½ + ½·x/√(1 + x²)
    h_t = f·h_{t−1} + (1 − f)·c                              the recurrence, per channel
    x_t ← x_t + W_out (h_t · o·g(o))
    x_t ← x_t + W_2 max(W_1 norm(shift(x_t)), 0)²            feed-forward (squared ReLU)
    p(x_{t+1} | x_≤t) = softmax(W_head norm(x_t) + bias)

x_t begins as the embedding of the last symbol; with `grams` rows, those of hashed n-grams are added (`grams.py`).

minGRU: Feng et al. 2024, "Were RNNs all we needed?", §3.1 (their z is 1 − f, their h̃ is c); token
shift: Peng et al. 2023 (RWKV), §3.1; squared ReLU: So et al. 2021 (Primer). The gate is algebraic
because the exactness rule knows no exp. All products are 7-bit weights × 8-bit activations. With `online` > 0, W_head goes
on learning while symbols are coded (`online_head.py`).
Training: `tokpress.training.mingru_net`. Symbols: width D, hidden 2D, depth L, V symbols, n lanes.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..coding import Codec, Frame, row_wise
from ..coding.lanes import fewer_lanes
from ..coding.levels import Levels
from ..errors import ModelError
from ..exact import ops
from ..exact.kernels import SPLIT, Kernel, make_kernel, self_test
from ..exact.tensors import PERMUTATION, SCALE, VECTOR, WEIGHT, Kind, check, nothing_else
from ..lazy import lazy, np
from ..model_files import check_settings
from ..types import Config, Pmf, Prior, Tokenizer, Tokens
from .grams import MIX, THREE, TWO, slots
from .text_core import in_core

if TYPE_CHECKING:
    from ..training.options import FitOptions
    from ..training.streams import Source
    from .online_head import OnlineHead
    from .two_level_head import TwoLevelHead

#: what a lane has "seen" before its first token
BEGIN = 0
#: no setting is above
MOST = 1 << 16
MOST_OF = {"depth": 256, "grams": 1 << 20}
#: the learning rate of a head that learns while it codes (online_head.py), where a training run sets none
ONLINE = 0.001
#: and none is above
MOST_ONLINE = 0.1
#: tokens of a frame from which compiled code pays for being imported
COMPILE_FROM = 6000
#: lanes from which two threads share a step
SHARE_FROM = 12
#: steps × lanes that the parallel form computes at a time: 4 MiB of conditionals for 4096 symbols
ROWS_AT_ONCE = 128


class Engine(NamedTuple):
    """A kernel, and the weights packed for it. It never changes."""

    kernel: Kernel
    xp: Any
    #: (`mingru_kernel`, its weights), which are all that compiled code needs
    compiled: Any = None
    to: Callable[[Any], Any] = lambda v: v  # to an array of xp
    rows: Any = None
    vectors: Any = None
    products: Any = None


@dataclass
class State:
    """The last inputs of both token shifts and the recurrent h, each [L, B, D] float32; the head, where it learns."""

    engine: Engine
    last_mix: Any
    h: Any
    last_ff: Any
    #: the last two symbols [2, B], the newer ones first
    last: np.ndarray
    head: Any = None  # an OnlineHead or a TwoLevelHead


def tensor_shapes(
    symbols: int, width: int, depth: int, hidden: int, grams: int = 0, features: int = 0, groups: int = 0
) -> dict[str, tuple[tuple[int, ...], Kind]]:
    """Every tensor of the model file: name → (shape, kind). Weights int8, with float32 scales per output."""
    shapes: dict[str, tuple[tuple[int, ...], Kind]] = {}
    products = {"embedding": (symbols, width), "head": (groups + symbols, width)}
    if grams:
        products |= {name: (grams, features) for name in (TWO, THREE)} | {MIX: (width, 2 * features)}
    for i in range(depth):
        products[f"blocks.{i}.mix_in"] = (3 * width, width)
        products[f"blocks.{i}.mix_out"] = (width, width)
        products[f"blocks.{i}.ff_in"] = (hidden, width)
        products[f"blocks.{i}.ff_out"] = (width, hidden)
        for vector in ("mix_mu", "ff_mu", "forget_bias"):
            shapes[f"blocks.{i}.{vector}"] = ((width,), VECTOR)
    for name, shape in products.items():
        shapes[name + ".weight"] = (shape, WEIGHT)
        shapes[name + ".scale"] = ((shape[0],), SCALE)
    shapes["bias"] = ((groups + symbols,), VECTOR)
    if groups:
        shapes["place"] = ((symbols,), PERMUTATION)
    return shapes


class MinGRUPrior(Prior):
    name = "mingru"
    warm_start = True
    trains_with = ("torch",)
    begin = BEGIN

    def __init__(self, config: Config, tensors: Mapping[str, np.ndarray]):
        check_settings(
            f"a {self.name} prior",
            config,
            {"symbols", "width", "depth", "hidden"},
            {"grams", "features", "groups", "online"},
        )
        self._config = {k: config[k] for k in ("symbols", "width", "depth", "hidden")}
        self.grams = config.get("grams", 0)
        if self.grams:
            self._config |= {"grams": self.grams, "features": config.get("features")}
        if "groups" in config:
            self._config |= {"groups": config["groups"]}
        self.online = config.get("online", 0.0)
        for key, value in self._config.items():
            most = MOST_OF.get(key, MOST)
            if type(value) is not int or not 1 <= value <= most:
                raise ModelError(f"{key}={value!r} of a mingru prior should be a number from 1 to {most:,}")
        if type(self.grams) is not int or self.grams & (self.grams - 1):
            raise ModelError(f"grams={self.grams} of a mingru prior should be a power of 2")
        if type(self.online) not in (int, float) or not 0 <= self.online <= MOST_ONLINE:
            raise ModelError(f"online={self.online!r} of a mingru prior should be a number from 0 to {MOST_ONLINE}")
        if (self.online or "groups" in config) and self._config["width"] > SPLIT:
            raise ModelError(
                f"width={self._config['width']} of a mingru prior that learns online, or has groups, should be at most {SPLIT}"
            )
        self.vocab_size = self._config["symbols"]
        self._tensors = tensors
        expected = tensor_shapes(**self._config)
        for name, (shape, kind) in expected.items():
            check(tensors, name, shape, kind)
        nothing_else(tensors, set(expected))
        #: the engines made so far, by their kernel; copies of this prior share them
        self._engines: dict[str, Engine] = {}
        self.kernel = "numpy"

    @lazy
    def levels(self) -> Levels | None:
        """The groups of its symbols, where it has any."""
        return Levels.of(self._tensors["place"], self._config["groups"]) if "groups" in self._config else None

    @property
    def engine(self) -> Engine:
        """Two threads may both make one; one of the two stays."""
        if found := self._engines.get(self.kernel):
            return found
        return self._engines.setdefault(self.kernel, self._make_engine(make_kernel(self.kernel)))

    def _make_engine(self, kernel: Kernel) -> Engine:
        t, xp = self._tensors, importlib.import_module("array_api_compat.torch") if kernel.name == "float" else np
        if kernel.name == "compiled":
            from . import mingru_kernel  # compiled

            packed = mingru_kernel.pack_weights(t, self._config["depth"], self.grams)
            return Engine(kernel, np, (mingru_kernel, packed))
        to = (lambda v: v) if xp is np else (lambda v: xp.asarray(v).to(getattr(kernel, "device", "cpu")))
        looked_up = [f"{name}.weight" for name in ("embedding", TWO, THREE)]
        return Engine(
            kernel, xp, to=to,
            rows=to(t["embedding.weight"].astype(np.float32) * t["embedding.scale"][:, None]),
            vectors={k: to(v) for k, v in t.items() if v.dtype == np.float32},
            products={k[:-7]: kernel.prepare(v) for k, v in t.items() if v.dtype == np.int8 and k not in looked_up},
        )  # fmt: skip

    def for_frame(self, frame: Frame) -> MinGRUPrior:
        kernel = frame.kernel
        if kernel == "auto":
            kernel = "compiled" if frame.tokens >= COMPILE_FROM and self_test("compiled") else "numpy"
        bound = copy.copy(self)
        bound.kernel = kernel
        return bound

    def codec(self, frame: Frame) -> Codec:
        return in_core(self, frame, self._twin)

    def _twin(self, frame: Frame) -> Codec:
        from ..coding.class_factored import ClassFactored
        from ..coding.symbolwise import Symbolwise

        prior = self.for_frame(frame)
        return Symbolwise(prior, frame) if prior.levels is None else ClassFactored(prior, prior.levels, frame)

    def lanes_taken(self, tokens: int) -> int:
        """With two levels, whose compiled steps are short: few where there are few tokens."""
        return self.lanes(tokens) if "groups" not in self._config else fewer_lanes(tokens, self.lanes(tokens))

    def init(self, lanes: int, tokens: int) -> State:
        engine = self.engine
        shape = (self._config["depth"], lanes, self._config["width"])
        mix, h, ff = (engine.to(np.zeros(shape, np.float32)) for _ in range(3))
        state = State(engine, mix, h, ff, np.full((2, lanes), BEGIN, np.int32))
        if self.levels:
            state.head = self._two_level_head(engine)(self._tensors, self.online, lanes, self.levels)
        elif self.online:
            state.head = self._online_head(engine)(self._tensors, self.online, lanes)
        return state

    def _online_head(self, engine: Engine) -> type[OnlineHead]:
        if engine.compiled is None:
            from .online_head import OnlineHead

            return OnlineHead
        from .online_kernel import CompiledHead

        return CompiledHead

    def _two_level_head(self, engine: Engine) -> type[TwoLevelHead]:
        if engine.compiled is None:
            from .two_level_head import TwoLevelHead

            return TwoLevelHead
        from .two_level_kernel import CompiledTwoLevelHead

        return CompiledTwoLevelHead

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        return row_wise.step(self, state, previous, rows)

    def learn(self, state: State, previous: Tokens | None) -> None:
        """A head that learns does so for all lanes."""
        if state.head:
            state.head.learn(previous)

    def shares_rows(self, rows: int) -> bool:
        """Whether a step of so many lanes is worth two threads (`exact.threads`)."""
        return self.kernel == "compiled" and rows >= SHARE_FROM

    def some_rows(self, state: State, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        """One step of some of the lanes; lanes do not depend on each other."""
        a, r = self._next_features(state, previous, some)
        if not state.head:
            return self._head(state.engine, a, r)
        ready()
        return state.head.step(a, r, some)

    def some_groups(self, state: State, previous: Tokens | None, some: slice, ready: Callable[[], Any]) -> Pmf:
        a, r = self._next_features(state, previous, some)
        ready()
        return state.head.groups(a, r, some)

    def some_ranks(self, state: State, group: Tokens, some: slice) -> Pmf:
        return state.head.ranks(group, some)

    def loop(self, state: State) -> None:
        """None by itself; there is one with a memory around it."""

    def _next_features(self, state: State, previous: Tokens | None, some: slice) -> tuple[Any, Any]:
        given = np.full(some.stop - some.start, BEGIN, np.int32) if previous is None else previous[some]
        return self._features(state, given[None], some)

    def stretch(self, state: State, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """The parallel form: every product takes many steps at once, only the recurrence goes in order.
        Many lanes fill the products already."""
        n, steps = symbols.shape
        if self.shares_rows(n):
            yield from super().stretch(state, previous, symbols)
            return
        given = np.empty((steps, n), np.int32)
        given[0] = BEGIN if previous is None else previous
        given[1:] = symbols.T[:-1]
        at_once = max(1, ROWS_AT_ONCE // n)
        for start in range(0, steps, at_once):
            part = given[start : start + at_once]
            a, r = self._features(state, part, slice(0, n))
            if state.head:
                before = symbols[:, start - 1] if start else previous
                yield from state.head.steps(a, r, n, before, symbols[:, start : start + len(part)])
            else:
                yield self._head(state.engine, a, r).reshape(len(part), n, -1)

    def _head(self, engine: Engine, a: Any, r: Any) -> Pmf:
        """pmf [n, V] of features."""
        if engine.compiled is not None:
            compiled, w = engine.compiled
            out = np.empty((len(a), self.vocab_size), np.float32)
            compiled.head(w.head, w.head_first, w.head_scale, w.bias, a, r, out)
            return out
        xp, v = engine.xp, engine.vectors
        pmf = ops.softmax(xp, engine.kernel.product(a, engine.products["head"]), v["head.scale"], r, v["bias"])
        return pmf if xp is np else pmf.cpu().numpy()

    def _features(self, state: State, given: Tokens, some: slice) -> tuple[Any, Any]:
        """Steps [T, n] of some lanes → a [T · n, D], r [T · n, 1], what the head sees, and the state T steps on."""
        engine = state.engine
        if engine.compiled is not None:
            compiled, w = engine.compiled
            a, r = np.zeros((given.size, w.head.shape[1] * 4), np.uint8), np.empty(given.size, np.float32)
            states = state.last_mix, state.h, state.last_ff, state.last
            compiled.features(w, given.reshape(-1), *states, some.start, some.stop, a, r)
            return a, r
        xp, v, n = engine.xp, engine.vectors, given.shape[1]
        x = xp.take(engine.rows, engine.to(given.reshape(-1).astype(np.int64)), axis=0)

        def product(name: str, a: Any) -> Any:
            return engine.kernel.product(a, engine.products[name])

        if self.grams:
            a, r = ops.quantize_rows(xp, engine.to(self._looked_up(state.last, given, some)))
            ops.add(xp, x, product(MIX, a), v[MIX + ".scale"], r)

        def shift(last: Any, mu: Any) -> tuple[Any, Any]:
            if len(given) == 1:
                return ops.shift(xp, x, last, mu)
            before = xp.concat([last, x[:-n]])
            last[...] = x[-n:]
            return ops.shift(xp, x, before, mu)

        def recur(acc: Any, i: int, b: str, r: Any) -> tuple[Any, Any]:
            settings = v[b + "mix_in.scale"], v[b + "forget_bias"], state.h[i][some]
            if len(given) == 1:
                return ops.recur(xp, acc, settings[0], r, *settings[1:])
            steps = [slice(t, t + n) for t in range(0, len(x), n)]
            both = [ops.recur(xp, acc[t], settings[0], r[t], *settings[1:]) for t in steps]
            return xp.concat([a for a, _ in both]), xp.concat([r for _, r in both])

        for i in range(self._config["depth"]):
            b = f"blocks.{i}."
            a, r = shift(state.last_mix[i][some], v[b + "mix_mu"])
            a, r = recur(product(b + "mix_in", a), i, b, r)
            ops.add(xp, x, product(b + "mix_out", a), v[b + "mix_out.scale"], r)
            a, r = shift(state.last_ff[i][some], v[b + "ff_mu"])
            a, r = ops.squared_relu(xp, product(b + "ff_in", a), v[b + "ff_in.scale"], r)
            ops.add(xp, x, product(b + "ff_out", a), v[b + "ff_out.scale"], r)
        a, r = ops.normalize_rows(xp, x)
        if state.head and xp is not np:
            return a.cpu().numpy(), r.cpu().numpy()
        return a, r

    def _looked_up(self, last: np.ndarray, given: Tokens, some: slice) -> np.ndarray:
        """[T · n, 2F] float32: the rows of two and of three symbols, side by side."""
        symbols = np.concatenate([last[::-1, some], given])
        last[:, some] = symbols[:-3:-1]
        older, before, now = (symbols[at : at + len(given)].reshape(-1).astype(np.int64) for at in range(3))
        found = slots(now, before, older, self.grams)
        t = self._tensors
        return np.concatenate(
            [
                t[name + ".weight"][rows].astype(np.float32) * t[name + ".scale"][rows][:, None]
                for name, rows in zip((TWO, THREE), found)
            ],
            1,
        )

    def config(self) -> Config:
        return {**self._config, **({"online": self.online} if self.online else {})}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> MinGRUPrior:
        return cls(config, tensors)

    @classmethod
    def fit(cls, sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions) -> MinGRUPrior:
        """Train with torch. Settings: width, depth, hidden, online."""
        from ..training.trainers import fit_mingru

        return cls(*fit_mingru(sources, tokenizer, config, options))
