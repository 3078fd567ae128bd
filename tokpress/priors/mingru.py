"""minGRU: a channel-recurrent prior, L blocks of a diagonal recurrence and a gated feed-forward layer.

    u_t = norm(μ·x_t + (1 − μ)·x_{t−1})                      token shift (RWKV-4), RMS norm
    f, c, o = W_mix u_t,   f ← g(f + b)                      g(x) = ½ + ½·x/√(1 + x²)
    h_t = f·h_{t−1} + (1 − f)·c                              the recurrence, per channel
    x_t ← x_t + W_out (h_t · o·g(o))
    x_t ← x_t + W_2 max(W_1 norm(shift(x_t)), 0)²            feed-forward (squared ReLU)
    p(x_{t+1} | x_≤t) = softmax(W_head norm(x_t) + bias)

minGRU: Feng et al. 2024, "Were RNNs all we needed?", §3.1 (their z is 1 − f, their h̃ is c); token
shift: Peng et al. 2023 (RWKV), §3.1; squared ReLU: So et al. 2021 (Primer). The gate is algebraic
because the exactness rule knows no exp. All products are 7-bit weights × 8-bit activations.
Training: `tokpress.training.mingru_net`. Symbols: width D, hidden 2D, depth L, V symbols, n lanes.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from ..exact import ops
from ..exact.kernels import Kernel, NumpyKernel, make_kernel, self_test
from ..exact.threads import share_rows
from ..types import Config, Pmf, Prior, Tokenizer, Tokens

if TYPE_CHECKING:
    from ..training.options import FitOptions
    from ..training.streams import Source

#: what a lane has "seen" before its first token
BEGIN = 0
#: tokens from which compiled loops, and torch, pay for being imported
COMPILE_FROM = 6000
INT8_FROM = 60_000
#: lanes from which two threads share a step
SHARE_FROM = 32


@dataclass
class State:
    """Per block: the last inputs of both token shifts and the recurrent h, each [B, D] float32."""

    last_mix: list[np.ndarray]
    h: list[np.ndarray]
    last_ff: list[np.ndarray]


def tensor_shapes(symbols: int, width: int, depth: int, hidden: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Every tensor of the model file: name → (shape, dtype). Weights int8, with float32 scales per output."""
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}
    products = {"embedding": (symbols, width), "head": (symbols, width)}
    for i in range(depth):
        products[f"blocks.{i}.mix_in"] = (3 * width, width)
        products[f"blocks.{i}.mix_out"] = (width, width)
        products[f"blocks.{i}.ff_in"] = (hidden, width)
        products[f"blocks.{i}.ff_out"] = (width, hidden)
        for vector in ("mix_mu", "ff_mu", "forget_bias"):
            shapes[f"blocks.{i}.{vector}"] = ((width,), "float32")
    for name, shape in products.items():
        shapes[name + ".weight"] = (shape, "int8")
        shapes[name + ".scale"] = ((shape[0],), "float32")
    shapes["bias"] = ((symbols,), "float32")
    return shapes


class MinGRUPrior(Prior):
    name = "mingru"
    warm_start = True

    def __init__(self, config: Config, tensors: dict[str, np.ndarray], kernel: Kernel | None = None):
        self._config = {k: int(config[k]) for k in ("symbols", "width", "depth", "hidden")}
        self.vocab_size = self._config["symbols"]
        self._tensors = tensors
        for name, (shape, dtype) in tensor_shapes(**self._config).items():
            t = tensors.get(name)
            if t is None or t.shape != shape or str(t.dtype) != dtype:
                raise ModelError(f"model.safetensors: {name} should be {dtype} {shape}; the file is damaged or foreign")
            if dtype == "int8" and len(t) and int(t.min()) < -64:
                raise ModelError(f"model.safetensors: {name} holds weights below −64; 7-bit weights are required")
        self.use_kernel(kernel or NumpyKernel())

    def use_kernel(self, kernel: Kernel, xp: Any = np, compiled: bool = False) -> None:
        """Compute with this product kernel and array library; the conditionals stay the same bits."""
        self.kernel, self.xp, self._using = kernel, xp, (kernel.name, compiled)
        if compiled:
            from ..exact import fused

            self.ops: Any = fused
        else:
            self.ops = ops
        to = (lambda v: v) if xp is np else (lambda v: xp.asarray(v).to(getattr(kernel, "device", "cpu")))
        t = self._tensors
        self._rows = to(t["embedding.weight"].astype(np.float32) * t["embedding.scale"][:, None])
        self._vectors = {k: to(v) for k, v in t.items() if v.dtype == np.float32}
        self._products = {
            k[:-7]: kernel.prepare(v) for k, v in t.items() if v.dtype == np.int8 and k != "embedding.weight"
        }
        self._to = to

    def prepare(self, tokens: int, kernel: str = "auto") -> None:
        """Small frames: numpy, nothing to import. From COMPILE_FROM tokens: compiled loops. From INT8_FROM:
        torch's int8 products, where torch is installed and passes the self-test."""
        if kernel == "auto":
            has_torch = tokens >= INT8_FROM and importlib.util.find_spec("torch") is not None
            kernel = "int8" if has_torch and self_test("int8") else "numpy"
        compiled = tokens >= COMPILE_FROM and kernel != "float"
        if (kernel, compiled) != self._using:
            xp = importlib.import_module("array_api_compat.torch") if kernel == "float" else np
            self.use_kernel(make_kernel(kernel, compiled), xp, compiled)

    def init(self, lanes: int, tokens: int) -> State:
        def zeros() -> list[np.ndarray]:
            return [
                self._to(np.zeros((lanes, self._config["width"]), np.float32)) for _ in range(self._config["depth"])
            ]

        return State(zeros(), zeros(), zeros())

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        if previous is None:
            previous = np.full(rows, BEGIN, np.int32)
        if self._using == ("int8", True) and rows >= SHARE_FROM:
            return share_rows(lambda some: self._rows_step(state, previous, some), rows)
        return self._rows_step(state, previous, slice(0, rows))

    def _rows_step(self, state: State, previous: Tokens, some: slice) -> Pmf:
        """One step of some of the lanes. Rows do not depend on each other."""
        xp, o, v = self.xp, self.ops, self._vectors
        if xp is np:
            x = self._rows[previous[some]]
        else:
            x = xp.take(self._rows, self._to(previous[some].astype(np.int64)), axis=0)

        def product(name: str, a: Any) -> Any:
            return self.kernel.product(a, self._products[name])

        for i in range(self._config["depth"]):
            b = f"blocks.{i}."
            a, r = o.shift(xp, x, state.last_mix[i][some], v[b + "mix_mu"])
            acc = product(b + "mix_in", a)
            a, r = o.recur(xp, acc, v[b + "mix_in.scale"], r, v[b + "forget_bias"], state.h[i][some])
            o.add(xp, x, product(b + "mix_out", a), v[b + "mix_out.scale"], r)
            a, r = o.shift(xp, x, state.last_ff[i][some], v[b + "ff_mu"])
            a, r = o.squared_relu(xp, product(b + "ff_in", a), v[b + "ff_in.scale"], r)
            o.add(xp, x, product(b + "ff_out", a), v[b + "ff_out.scale"], r)
        a, r = o.normalize_rows(xp, x)
        pmf = o.softmax(xp, product("head", a), v["head.scale"], r, v["bias"])
        return pmf if xp is np else pmf.cpu().numpy()

    def config(self) -> Config:
        return dict(self._config)

    def tensors(self) -> dict[str, np.ndarray]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: dict[str, np.ndarray], vocab_size: int) -> "MinGRUPrior":
        return cls(config, tensors)

    @classmethod
    def fit(cls, sources: "list[Source]", tokenizer: Tokenizer, config: Config, options: "FitOptions") -> "MinGRUPrior":
        """Train with torch. Settings: width, depth, hidden."""
        from ..training.trainers import fit_mingru

        return cls(*fit_mingru(sources, tokenizer, config, options))
