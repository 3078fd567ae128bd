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
because the exactness rule allows no exp. All products are 7-bit weights × 8-bit activations. With `online` > 0, W_head
learns while symbols are coded (`online_head.py`).
Training: `tokpress.training.nets.mingru`. Symbols: width D, hidden 2D, depth L, V symbols, n lanes.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from ...coding import Codec, Frame
from ...coding.base import Pmf
from ...coding.classes import SymbolClasses
from ...coding.lanes import FrameRules
from ...errors import ModelError
from ...exact import ops
from ...exact.kernels import SPLIT, Kernel, make_kernel
from ...exact.tensors import PERMUTATION, SCALE, VECTOR, WEIGHT, Kind, check, nothing_else
from ...lazy import lazy, np
from ...native import library
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import SteppedPrior
from .core import in_core
from .grams import MIX, THREE, TWO, slots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .class_head import ClassFactoredHead
    from .online_head import OnlineHead

#: the symbol before the first token of a lane
BEGIN = 0
#: upper bounds of the settings
MAX_SETTING = 1 << 16
MAX_SETTINGS = {"depth": 256, "grams": 1 << 20}
#: default learning rate of a head that learns while it codes (online_head.py); bitwise mixing learns most of the same
ONLINE = 0.0
#: upper bound of it
MAX_ONLINE = 0.1
#: low, since steps of a text model are slow and a token of text stands for several bytes
TOKENS_PER_BYTE = 1 << 6
#: a lane for so many tokens, at most so many lanes: a lane begins without context, which costs bytes; many lanes take less time
TOKENS_A_LANE, MAX_LANES = 1024, 128


class Engine(NamedTuple):
    """A kernel and the weights packed for it, immutable."""

    kernel: Kernel[Any, Any]
    xp: Any
    to: Callable[[Any], Any]  # to an array of xp
    rows: Any
    vectors: Any
    products: Any


@dataclass
class State:
    """The last inputs of both token shifts and the recurrent h, each [L, B, D] float32; the head, where it learns."""

    engine: Engine
    last_mix: Any
    h: Any
    last_ff: Any
    #: the last two symbols [2, B], the newer ones first
    last: NDArray[np.int32]
    head: OnlineHead | None = None


def tensor_shapes(
    symbols: int, width: int, depth: int, hidden: int, grams: int = 0, features: int = 0, classes: int = 0
) -> dict[str, tuple[tuple[int, ...], Kind]]:
    """Every tensor of the model file: name → (shape, kind). Weights int8, with float32 scales per output."""
    shapes: dict[str, tuple[tuple[int, ...], Kind]] = {}
    products = {"embedding": (symbols, width), "head": (classes + symbols, width)}
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
    shapes["bias"] = ((classes + symbols,), VECTOR)
    if classes:
        shapes["place"] = ((symbols,), PERMUTATION)
    return shapes


class MinGRUPrior(SteppedPrior):
    name = "mingru"
    #: settings of training
    defaults: ClassVar = {
        "width": 256, "depth": 4, "hidden": 512, "classes": 0, "grams": 0, "features": 64, "online": ONLINE, "dropout": 0.0,
    }  # fmt: skip
    begin = BEGIN

    def __init__(self, config: Config, tensors: Mapping[str, NDArray[Any]]):
        check_settings(
            f"a {self.name} prior",
            config,
            {"symbols", "width", "depth", "hidden"},
            {"grams", "features", "classes", "online"},
        )
        self._config = {k: config[k] for k in ("symbols", "width", "depth", "hidden")}
        self.grams = config.get("grams", 0)
        if self.grams:
            self._config |= {"grams": self.grams, "features": config.get("features")}
        if "classes" in config:
            self._config |= {"classes": config["classes"]}
        self.online = config.get("online", 0.0)
        for key, value in self._config.items():
            largest = MAX_SETTINGS.get(key, MAX_SETTING)
            if type(value) is not int or not 1 <= value <= largest:
                raise ModelError(f"{key}={value!r} of a mingru prior should be a number from 1 to {largest:,}")
        if type(self.grams) is not int or self.grams & (self.grams - 1):
            raise ModelError(f"grams={self.grams} of a mingru prior should be a power of 2")
        if type(self.online) not in (int, float) or not 0 <= self.online <= MAX_ONLINE:
            raise ModelError(f"online={self.online!r} of a mingru prior should be a number from 0 to {MAX_ONLINE}")
        if (self.online or "classes" in config) and self._config["width"] > SPLIT:
            raise ModelError(
                f"width={self._config['width']} of a mingru prior that learns online, or has classes, should be at most {SPLIT}"
            )
        self.vocab_size = self._config["symbols"]
        classes = self._config.get("classes", 0)
        members = self.vocab_size // classes if classes else 2
        if classes == 1 or members < 2 or members & (members - 1) or (classes and self.vocab_size % classes):
            raise ModelError(
                f"classes={classes} of a mingru prior should cut {self.vocab_size} symbols into 2 or more classes of 2, 4, 8 … symbols"
            )
        self.rules = FrameRules(
            tokens_per_byte=TOKENS_PER_BYTE,
            tokens_a_lane=TOKENS_A_LANE,
            max_lanes=MAX_LANES,
            groups=1 if self.online else 2,
        )
        self._tensors = tensors
        expected = tensor_shapes(**self._config)
        for name, (shape, kind) in expected.items():
            check(tensors, name, shape, kind)
        nothing_else(tensors, set(expected))
        #: engines by kernel, shared with copies of this prior
        self._engines: dict[str, Engine] = {}
        self.kernel = "numpy"

    @lazy
    def classes(self) -> SymbolClasses | None:
        """The classes of the symbols, where the softmax is class-factored."""
        return (
            SymbolClasses.from_places(self._tensors["place"], self._config["classes"])
            if "classes" in self._config
            else None
        )

    @property
    def engine(self) -> Engine:
        """The engine of the kernel. Two threads may both make one; one of the two is kept."""
        if engine := self._engines.get(self.kernel):
            return engine
        return self._engines.setdefault(self.kernel, self._make_engine(make_kernel(self.kernel)))

    def _make_engine(self, kernel: Kernel[Any, Any]) -> Engine:
        t, xp = self._tensors, importlib.import_module("array_api_compat.torch") if kernel.name == "float" else np

        def to(values: Any) -> Any:
            return values if xp is np else xp.asarray(values).to(getattr(kernel, "device", "cpu"))

        tables = [f"{name}.weight" for name in ("embedding", TWO, THREE)]
        return Engine(
            kernel, xp, to,
            rows=to(t["embedding.weight"].astype(np.float32) * t["embedding.scale"][:, None]),
            vectors={k: to(v) for k, v in t.items() if v.dtype == np.float32},
            products={k[:-7]: kernel.prepare(v) for k, v in t.items() if v.dtype == np.int8 and k not in tables},
        )  # fmt: skip

    def for_frame(self, frame: Frame) -> MinGRUPrior:
        bound = copy.copy(self)
        bound.kernel = ("native" if library.is_here() else "numpy") if frame.kernel == "auto" else frame.kernel
        return bound

    def codec(self, frame: Frame) -> Codec:
        return in_core(self, frame)

    def init(self, lanes: int, tokens: int) -> State:
        engine = self.engine
        shape = (self._config["depth"], lanes, self._config["width"])
        mix, h, ff = (engine.to(np.zeros(shape, np.float32)) for _ in range(3))
        state = State(engine, mix, h, ff, np.full((2, lanes), BEGIN, np.int32))
        from .class_head import ClassFactoredHead
        from .online_head import OnlineHead  # imports numpy

        if self.classes:
            state.head = ClassFactoredHead(self._tensors, self.online, lanes, self.classes)
        elif self.online:
            state.head = OnlineHead(self._tensors, self.online, lanes)
        return state

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        a, r = self._next_features(state, previous, rows)
        if state.head:
            return state.head.step(a, r)
        xp, v, kernel = state.engine.xp, state.engine.vectors, state.engine.kernel
        pmf: Any = ops.softmax(xp, kernel.product(a, state.engine.products["head"]), v["head.scale"], r, v["bias"])
        out: Pmf = pmf if xp is np else pmf.cpu().numpy()
        return out

    def class_pmf(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        return cast("ClassFactoredHead", state.head).class_pmf(*self._next_features(state, previous, rows))

    def member_pmf(self, state: State, of_class: Tokens) -> Pmf:
        return cast("ClassFactoredHead", state.head).member_pmf(of_class)

    def _next_features(self, state: State, previous: Tokens | None, rows: int) -> tuple[Any, Any]:
        """Features of the next symbol, a [n, D] and r [n, 1]. The head learns the previous symbols first."""
        if state.head:
            state.head.learn(previous)
        a, r = self._features(state, np.full(rows, BEGIN, np.int32) if previous is None else previous)
        if state.head and state.engine.xp is not np:
            return a.cpu().numpy(), r.cpu().numpy()
        return a, r

    def _features(self, state: State, given: Tokens) -> tuple[Any, Any]:
        """Symbols [n] → a [n, D], r [n, 1]. Advances the state by one step."""
        engine, n = state.engine, len(given)
        xp, v = engine.xp, engine.vectors
        x = xp.take(engine.rows, engine.to(given.astype(np.int64)), axis=0)

        def product(name: str, a: Any) -> Any:
            return engine.kernel.product(a, engine.products[name])

        if self.grams:
            a, r = ops.quantize_rows(xp, engine.to(self._gram_rows(state.last, given)))
            ops.add(xp, x, product(MIX, a), v[MIX + ".scale"], r)
        for i in range(self._config["depth"]):
            b = f"blocks.{i}."
            a, r = ops.shift(xp, x, state.last_mix[i][:n], v[b + "mix_mu"])
            a, r = ops.recur(
                xp, product(b + "mix_in", a), v[b + "mix_in.scale"], r, v[b + "forget_bias"], state.h[i][:n]
            )
            ops.add(xp, x, product(b + "mix_out", a), v[b + "mix_out.scale"], r)
            a, r = ops.shift(xp, x, state.last_ff[i][:n], v[b + "ff_mu"])
            a, r = ops.squared_relu(xp, product(b + "ff_in", a), v[b + "ff_in.scale"], r)
            ops.add(xp, x, product(b + "ff_out", a), v[b + "ff_out.scale"], r)
        return ops.normalize_rows(xp, x)

    def _gram_rows(self, last: NDArray[np.int32], now: Tokens) -> NDArray[np.float32]:
        """[n, 2F]: the rows of the last two and of the last three symbols, side by side."""
        n, t = len(now), self._tensors
        before, older = last[:, :n].astype(np.int64)
        last[1, :n], last[0, :n] = last[0, :n], now
        places = slots(now.astype(np.int64), before, older, self.grams)
        rows = [
            t[name + ".weight"][at].astype(np.float32) * t[name + ".scale"][at][:, None]
            for name, at in zip((TWO, THREE), places)
        ]
        return np.concatenate(rows, 1)

    def config(self) -> Config:
        return {**self._config, **({"online": self.online} if self.online else {})}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> MinGRUPrior:
        return cls(config, tensors)
