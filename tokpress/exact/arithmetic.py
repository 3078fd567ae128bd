"""The arithmetic in which a prior's network codes: one step of every lane, in numpy, the same bits everywhere.

A network (`tokpress.priors.lecture.network`) is written once, in terms of the methods below. `Exact` computes them one step
at a time and remembers what later steps need (queues, keys and values, recurrent states); `training.nets.arithmetic.Trained`
computes the same functions for all steps at once, with gradients. A test compares the two.

    values        x [n, C] float32: one row per lane
    products      7-bit weights · 8-bit activations, integer sums (docs/exactness.md)
    `linear`      activations rounded row by row: a = round(x·127 / max|x|)
    `limit=ℓ`     activations rounded on one grid for all rows and steps: a = round(clip(x, ±ℓ)·127/ℓ). Whatever adds
                  up values of several steps (convolutions, attention) needs that; a row's own scale would differ

What an item is: `shape` (rows, columns, channels) of a picture whose symbols are coded in `order`, or () for a
sequence without end. At every item's beginning the memory is empty.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import ModelError, TokpressError
from . import attention, ops, states
from .kernels import Kernel, NumpyKernel
from .masks import Array, Taps, is_raster, joinable, taps_of
from .orders import Order, Shape, make_order
from .tensors import MOST_INPUTS, SCALE, VECTOR, WEIGHT, Kind, checked, nothing_else

#: |A|² of a state space: rounding may take it this far above 1
LARGEST_GROWTH = 1 + 2.0**-20
#: numbers that a layer may remember: a small file must not ask for all memory
MOST_KEPT = 1 << 28


class Weights:
    """The tensors of a model by name, checked as they are asked for. Raises ModelError where one is not as it should be."""

    def __init__(self, tensors: Mapping[str, Array], kernel: Kernel | None = None) -> None:
        self.tensors, self.kernel = tensors, kernel or NumpyKernel()
        self._made: dict = {}
        self._found: dict[tuple[str, tuple[int, ...]], Array] = {}

    def vector(self, name: str, *shape: int) -> Array:
        return self._checked(name, shape, VECTOR)

    def quantized(self, name: str, outputs: int, inputs: int) -> tuple[Array, Array]:
        """(int8 [N, K] of −64 … 63, scales [N])"""
        if inputs > MOST_INPUTS:
            raise ModelError(f"model.safetensors: {name} has {inputs:,} inputs; {MOST_INPUTS:,} is the most")
        q = self._checked(name + ".weight", (outputs, inputs), WEIGHT)
        return q, self._checked(name + ".scale", (outputs,), SCALE)

    def product(self, name: str, outputs: int, inputs: int, part: slice = slice(None)) -> tuple:
        """(weights as the kernel wants them, scales), of some of the outputs and inputs"""
        key = (name, part.start, part.stop)
        if key not in self._made:
            q, s = self.quantized(name, outputs, inputs)
            self._made[key] = self.kernel.prepare(np.ascontiguousarray(q[part])), s[part]
        return self._made[key]

    def masked(self, name: str, outputs: int, inputs: int, mask: Callable[[], Array]) -> tuple:
        """`product` of weights times a `mask` of 0 and 1, which is the same whenever a name is asked for."""
        key = (name, "masked")
        if key not in self._made:
            q, s = self.quantized(name, outputs, inputs)
            self._made[key] = self.kernel.prepare(np.ascontiguousarray(q * mask())), s
        return self._made[key]

    def table(self, name: str, symbols: int, width: int) -> Array:
        """Rows to look up, [V, C] float32."""
        if name not in self._made:
            q, s = self.quantized(name, symbols, width)
            self._made[name] = q.astype(np.float32) * s[:, None]
        return self._made[name]

    def nothing_else(self) -> None:
        """Raises ModelError where there are tensors that nobody has asked for."""
        nothing_else(self.tensors, {name for name, _ in self._found})

    def _checked(self, name: str, shape: tuple[int, ...], kind: Kind) -> Array:
        if (name, shape) not in self._found:
            self._found[name, shape] = checked(self.tensors, name, shape, kind)
        return self._found[name, shape]


class Exact:
    def __init__(self, weights: Weights, shape: Shape, order: Order | None, lanes: int) -> None:
        self.weights, self.shape, self.order, self.lanes = weights, shape, order, lanes
        self.channels, self.raster = shape[2] if len(shape) == 3 else 1, is_raster(order)
        self.item = math.prod(shape) if shape else 0
        self.memory: dict[str, Array] = {}
        self.caches: dict[str, attention.Cache] = {}
        self.stacks: dict[str, Exact] = {}
        self.at, self.rows = -1, lanes
        #: items of a lane that are through
        self.items = 0
        #: symbols [lanes, M] of what each lane's item is predicted from
        self.given = np.zeros((lanes, 0), np.int64)

    def begin_step(self, lanes: int) -> None:
        """The next step of the first `lanes` lanes."""
        self.at, self.rows = self.at + 1, lanes
        if self.item and self.at == self.item:
            self.at, self.items = 0, self.items + 1
            self.memory, self.caches, self.stacks = {}, {}, {}

    def end_item(self) -> None:
        """As if the next item had been stepped to its end, whose memory nobody needs."""
        if self.at >= 0:
            self.items += 1
        self.at, self.memory, self.caches, self.stacks = self.item - 1, {}, {}, {}

    def _kept(self, name: str, *shape: int, dtype: type = np.float32) -> Array:
        """What is remembered under a name, at first zeros; lanes are the second axis where there are two."""
        if name not in self.memory:
            if math.prod(shape) > MOST_KEPT:
                raise ModelError(f"{name} has to remember {math.prod(shape):,} numbers; {MOST_KEPT:,} is the most")
            self.memory[name] = np.zeros(shape, dtype)
        return self.memory[name]

    # --- products --------------------------------------------------------------------------------

    def embed(self, name: str, tokens: Array, symbols: int, width: int) -> Array:
        """A row per symbol: `tokens` [n] is what came one step before (0 before the first)."""
        return self.weights.table(name, symbols, width)[tokens]

    def linear(
        self, name: str, x: Array, outputs: int, normed: bool = False, limit: float = 0.0, gain: float = 1.0
    ) -> Array:
        """W x. `normed`: of x / rms(x) (Zhang & Sennrich 2019). gain: of the first weights, in training."""
        product, s = self.weights.product(name, outputs, x.shape[1])
        if limit:
            return self.weights.kernel.product(self._grid(x, limit), product) * s * np.float32(limit / 127)
        self._finite(x)
        a, r = ops.normalize_rows(np, x) if normed else ops.quantize_rows(np, x)
        return self.weights.kernel.product(a, product) * s * r

    def conv(
        self, name: str, x: Array, taps: Taps, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Array:
        """y_t = b + Σ_k W_k x_{t + tap k}, masked: taps (rows, columns) of a picture in raster order, or (steps,) of
        a sequence, none of them later. `strict` is mask A of van den Oord et al. (2016a), §3.4: x is of the symbols
        before this one; otherwise mask B: x of this step counts. A pixel's channels see each other in their order."""
        taps, c, width = taps_of(taps, strict, self.channels, self.raster), self.channels, x.shape[1]
        offsets = self._offsets(taps)
        reach = 1 - min(offsets)
        # before anything is allocated
        self.weights.quantized(name, c * outputs, len(taps) * c * width)
        queue = self._kept(name, reach, self.lanes, c * width)
        if (now := self.at - strict) >= 0:
            pixel, channel = divmod(now, c)
            if channel == 0:
                queue[pixel % reach] = 0
            queue[pixel % reach, : self.rows, channel * width : (channel + 1) * width] = self._grid(x, limit)
        pixel, channel = divmod(self.at, c)
        gathered = np.zeros((self.rows, len(taps) * c * width), np.float32)
        for k, (tap, offset) in enumerate(zip(taps, offsets)):
            if strict and offset == 0 and channel == 0:
                continue  # nothing of this pixel is known, and its place holds an old one
            if pixel + offset >= 0 and self._inside(pixel, tap):
                gathered[:, k * c * width : (k + 1) * c * width] = queue[(pixel + offset) % reach, : self.rows]
        mine = slice(channel * outputs, (channel + 1) * outputs)
        product, s = self.weights.product(name, c * outputs, gathered.shape[1], mine)
        acc = self.weights.kernel.product(gathered, product)
        return acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", c * outputs)[mine]

    def joined(
        self, name: str, x: Array, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Array:
        """y_t = b_t + Σ_{s ≤ t} W_{t,s} x_s with weights for every pair of positions (`strict`: s < t), which is what a
        masked fully connected layer is (Germain et al. 2015, §4) whose nodes hold vectors. Biases float32 [T, outputs]."""
        width, size = x.shape[1], self.item
        joinable(size, width, outputs)
        q, s = self.weights.quantized(name, size * outputs, size * width)
        kept = self._kept(name, self.lanes, size * width)
        if (now := self.at - strict) >= 0:
            kept[: self.rows, now * width : (now + 1) * width] = self._grid(x, limit)
        bias = self.weights.vector(name + ".bias", size, outputs)[self.at]
        if now < 0:
            return np.repeat(bias[None], self.rows, 0)
        until, mine = (now + 1) * width, slice(self.at * outputs, (self.at + 1) * outputs)
        product = self.weights.kernel.prepare(np.ascontiguousarray(q[mine, :until]))
        acc = self.weights.kernel.product(kept[: self.rows, :until], product)
        return acc * s[mine] * np.float32(limit / 127) + bias

    def _grid(self, x: Array, limit: float) -> Array:
        self._finite(x)
        return np.round(np.clip(x * np.float32(127 / limit), np.float32(-127), np.float32(127)))

    def _offsets(self, taps: Taps) -> list[int]:
        """In pixels; 0 or negative."""
        if len(taps[0]) == 1:
            return [tap[0] for tap in taps]
        return [tap[0] * self.shape[1] + tap[1] for tap in taps]

    def _inside(self, pixel: int, tap: tuple[int, ...]) -> bool:
        return len(tap) == 1 or 0 <= pixel % self.shape[1] + tap[1] < self.shape[1]

    # --- element by element ------------------------------------------------------------------------

    def bias(self, name: str, width: int, first: float = 0.0, last: float | None = None) -> Array:
        """A learned vector [C], at first `first`, or from `first` to `last`."""
        return self.weights.vector(name, width)

    def coordinates(self, name: str, width: int) -> Array:
        """A learned vector of the position that this step codes: the sum of its row's, column's and channel's."""
        if self.order is None:
            raise TokpressError("coordinates are of items; give the prior a shape")
        rows, columns, channels = (*self.shape, 1, 1)[:3]
        pixel, channel = divmod(int(self.order[self.at]), channels)
        out = self.weights.vector(name + ".row", rows, width)[pixel // columns]
        if columns > 1:
            out = out + self.weights.vector(name + ".column", columns, width)[pixel % columns]
        if channels > 1:
            out = out + self.weights.vector(name + ".channel", channels, width)[channel]
        return out[None]

    def norm(self, x: Array) -> Array:
        """x / rms(x) per row, the rms being that of the row rounded to 8 bits, an integer sum."""
        self._finite(x)
        peak = np.maximum(np.abs(x).max(1, keepdims=True), np.float32(ops.TINY))
        up = (np.float32(1) / peak) * np.float32(ops.ACTIVATION_MAX)
        return x * (up * ops.normalize_rows(np, x)[1])

    def gate(self, x: Array) -> Array:
        """Algebraic sigmoid ½ + ½·x/√(1 + x²): the exactness rule knows no exp here."""
        return ops.gate(np, x)

    def bounded(self, x: Array) -> Array:
        """Algebraic tanh x/√(1 + x²)."""
        return x / np.sqrt(np.float32(1) + x * x)

    def relu(self, x: Array) -> Array:
        return np.maximum(x, np.float32(0))

    def positive(self, x: Array) -> Array:
        """½·(x + √(x² + 1)) > 0, an algebraic softplus (squareplus, Barron 2021)."""
        return np.float32(0.5) * (x + np.sqrt(x * x + np.float32(1)))

    def dropout(self, x: Array, share: float) -> Array:
        return x

    def joint(self, *x: Array) -> Array:
        """Side by side."""
        return np.concatenate([np.broadcast_to(v, (self.rows, v.shape[1])) for v in x], 1)

    def parts(self, x: Array, count: int) -> list[Array]:
        return np.split(x, count, 1)

    # --- over time ---------------------------------------------------------------------------------

    def recur(self, name: str, f: Array, c: Array) -> Array:
        """h_t = f·h_{t−1} + (1 − f)·c, per channel."""
        h = self._kept(name, self.lanes, f.shape[1])[: self.rows]
        h[...] = f * h + (np.float32(1) - f) * c
        return h.copy()

    def vertical(self, name: str, stack: Callable[["Exact", Array], Array], x: Array) -> Array:
        """`stack(arithmetic, x)` over whole rows: features that may see every pixel of the rows above. `x` are features
        of the symbol before, `stack` begins with a strict convolution of them. A pixel's channels share the result."""
        height, width, c = self.shape[0], self.shape[1], self.channels
        features = x.shape[1]
        above = self._kept(name, self.lanes, width, c * features)
        if self.at:
            pixel, channel = divmod(self.at - 1, c)
            above[: self.rows, pixel % width, channel * features : (channel + 1) * features] = x
        row, column = divmod(self.at, width * c)
        if column == 0:
            if row == 0:
                from .rows import Rows  # which is an Exact too

                self.stacks[name] = Rows(self.weights, (height, width), None, self.lanes)
            self.stacks[name].begin_step(self.rows)
            self.memory[name + ".row"] = stack(self.stacks[name], above[: self.rows].reshape(-1, c * features))
        made = self.memory[name + ".row"]
        return made.reshape(-1, width, made.shape[1])[: self.rows, column // c]

    def upsampled(self, name: str, shape: Shape, symbols: int, width: int, outputs: int) -> Array:
        """Features of the given picture of `shape` around the place of this step's pixel: a 3×3 convolution of its
        embedded symbols, nothing masked, since all of it is known."""
        if self.at == 0:
            grid = self.embed(name + ".embedding", self.given, symbols, width).reshape(self.lanes, *shape[:2], -1)
            around = np.pad(self._grid(grid, 4.0), ((0, 0), (1, 1), (1, 1), (0, 0)))
            h, w = shape[:2]
            gathered = np.concatenate([around[:, r : r + h, c : c + w] for r in range(3) for c in range(3)], 3)
            product, s = self.weights.product(name, outputs, gathered.shape[3])
            acc = self.weights.kernel.product(gathered.reshape(-1, gathered.shape[3]), product)
            made = acc * s * np.float32(4.0 / 127) + self.weights.vector(name + ".bias", outputs)
            self.memory[name] = made.reshape(self.lanes, h * w, outputs)
        return self.memory[name][: self.rows, self._below(shape)[self.at // self.channels]]

    def encoded(self, stack: Callable[["Exact", Array], Array], shape: Shape) -> Array:
        """`stack(arithmetic, given)`: features [lanes·M, C] of all positions of what is given, each of which may see all
        of it, made at an item's beginning."""
        if self.at == 0:
            from .whole import Whole  # which is an Exact too

            encoder = Whole(self.weights, shape, make_order("raster", shape), self.lanes)
            encoder.rows = self.lanes * self.given.shape[1]
            self.memory["encoded"] = stack(encoder, self.given.reshape(-1))
        return self.memory["encoded"]

    def attend_given(self, name: str, q: Array, k: Array, v: Array, heads: int) -> Array:
        """Attention over encoded keys and values [lanes·M, C] (Vaswani et al. 2017, §3.2.3)."""
        self._finite(q)
        if name not in self.caches:
            self._finite(np.concatenate([k, v], 1))
            self.caches[name] = attention.Cache(self.lanes, len(k) // self.lanes, heads, q.shape[1] // heads)
            attention.fill(self.caches[name], k, v)
        return attention.look(self.caches[name], q)

    def _below(self, shape: Shape) -> Array:
        """The pixel of a coarser picture that each pixel of this one lies in."""
        rows, columns = np.indices(self.shape[:2])
        place = rows * shape[0] // self.shape[0] * shape[1] + columns * shape[1] // self.shape[1]
        return place.reshape(-1)

    def unroll(self, name: str, cell: Callable, x: Array, widths: Sequence[int]) -> Array:
        """The first state of (s, …)_t = cell(x_t, *s_{t−1}), for any cell; in training a loop over time."""
        kept = [self._kept(f"{name}.{i}", self.lanes, width)[: self.rows] for i, width in enumerate(widths)]
        new = cell(x, *kept)
        for old, value in zip(kept, new):
            old[...] = value
        return new[0]

    def attend(
        self,
        name: str,
        q: Array,
        k: Array,
        v: Array,
        heads: int,
        reach: int = 0,
        pattern: attention.Pattern | None = None,
    ) -> Array:
        """Causal attention softmax(q·kᵀ/√d) v (Vaswani et al. 2017, §3.2) with a cache of keys and values. reach: how far
        back where there is no end to a sequence, with a learned bias for each distance. pattern: what a step may see."""
        distances = None if not reach else self.weights.vector(name + ".distance", heads, reach)
        self._finite(np.concatenate([q, k, v], 1))
        if name not in self.caches:
            self.caches[name] = attention.Cache(self.lanes, reach or self.item, heads, q.shape[1] // heads)
        return attention.step(self.caches[name], q, k, v, self.at, self.rows, distances, pattern)

    def attend_linear(self, name: str, q: Array, k: Array, v: Array, heads: int) -> Array:
        """φ(q)·S / φ(q)·z with S_t = S_{t−1} + φ(k) vᵀ, z_t = z_{t−1} + φ(k) (Katharopoulos et al. 2020, eq. 18–20)."""
        n, d = self.rows, q.shape[1] // heads
        sums = self._kept(name, self.lanes, heads, d, d + 1)[:n]
        return states.linear_attention(self.positive(q), self.positive(k), v, sums)

    def state_space(self, name: str, u: Array, size: int) -> Array:
        """Re Σ_N C_N h_N,t + D u_t with h_N,t = A_N h_N,t−1 + u_t, per channel: a diagonal linear state space of `size`
        complex states (Gu et al. 2022, S4D)."""
        width = u.shape[1]
        a, c = (self.weights.vector(f"{name}.{part}", 2, width, size) for part in ("transition", "readout"))
        if float((a[0] * a[0] + a[1] * a[1]).max()) > LARGEST_GROWTH:
            raise ModelError(f"model.safetensors: states of {name} grow without end; the file is damaged")
        h = self._kept(name, 2, self.lanes, width, size)[:, : self.rows]
        return states.state_space(u, h, a, c, self.weights.vector(name + ".skip", width))

    # --- conditionals ------------------------------------------------------------------------------

    def _finite(self, x: Array) -> None:
        """What is no number would be rounded to one integer here and to another elsewhere."""
        if not np.isfinite(x).all():
            raise ModelError("model.safetensors: its numbers grow beyond all bounds; the file is damaged")

    def predict(self, name: str, x: Array, symbols: int) -> Array:
        """softmax(W norm(x) + b): the pmf [n, V]."""
        self._finite(x)
        product, s = self.weights.product(name, symbols, x.shape[1])
        a, r = ops.normalize_rows(np, x)
        return ops.softmax(
            np, self.weights.kernel.product(a, product), s, r, self.weights.vector(name + ".bias", symbols)
        )

    def predict_logits(self, logits: Array) -> Array:
        """softmax of logits [n, V − 1] that something else computed, beside a 0 for the first symbol: [n, V]."""
        self._finite(logits)
        one = np.float32(1)
        beside = np.concatenate([np.zeros_like(logits[:, :1]), logits], 1)
        return ops.softmax(np, beside, one, one, np.float32(0))

    def predict_logistics(self, name: str, x: Array, symbols: int, components: int) -> Array:
        """A mixture of logistics (`exact.logistics`) from weights, means and log scales W norm(x) + b."""
        from . import logistics

        self._finite(x)
        y = self.linear(name, x, 3 * components, normed=True, gain=0.3) + self.bias(name + ".bias", 3 * components)
        log_weights, means, log_scales = np.split(y, 3, 1)
        return logistics.pmf(log_weights, means, log_scales, symbols)
