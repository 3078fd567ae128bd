"""Exact operations over positions (`network_ops.LayerOps`): one step of every lane, and the memory that later steps need.

The memory holds queues of convolutions, keys and values of attention, and recurrent states. It is empty at the start of every item.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ModelError, TokpressError
from . import attention, recurrent
from .arrays import Floats
from .masks import Taps, is_raster, joinable, taps_of
from .orders import Order, Shape
from .rowwise import RowwiseExact
from .weights import Weights

#: |A|² of a state space: rounding may take it this far above 1
LARGEST_GROWTH = 1 + 2.0**-20
#: numbers that a layer may remember: a small file must not ask for all memory
MAX_KEPT = 1 << 28


class LayersExact(RowwiseExact):
    """One step at a time: values are [n, C], a row per lane.

    shape: of an item (rows, columns, channels) whose symbols are coded in `order`, or () for a sequence without end."""

    def __init__(self, weights: Weights, shape: Shape, order: Order | None, lanes: int) -> None:
        super().__init__(weights, lanes)
        self.shape, self.order, self.lanes = shape, order, lanes
        self.channels, self.raster = shape[2] if len(shape) == 3 else 1, is_raster(order)
        self.item = math.prod(shape) if shape else 0
        #: position of this step in its item; −1 before the first
        self.at = -1
        #: number of complete items of a lane
        self.items = 0
        self.memory: dict[str, Floats] = {}
        self.caches: dict[str, attention.Cache] = {}
        #: the arithmetic of sub-networks
        self.stacks: dict[str, LayersExact] = {}

    def begin_step(self, lanes: int) -> None:
        """Go to the next step, of the first `lanes` lanes."""
        self.at, self.rows = self.at + 1, lanes
        if self.item and self.at == self.item:
            self.at, self.items = 0, self.items + 1
            self._forget()

    def end_item(self) -> None:
        """Go to the end of the next item, as if its steps had been taken."""
        if self.at >= 0:
            self.items += 1
        self.at = self.item - 1
        self._forget()

    def _forget(self) -> None:
        self.memory, self.caches, self.stacks = {}, {}, {}

    def _kept(self, name: str, *shape: int) -> Floats:
        """The array kept under a name, zeros at first."""
        if name not in self.memory:
            if math.prod(shape) > MAX_KEPT:
                raise ModelError(f"{name} has to remember {math.prod(shape):,} numbers; {MAX_KEPT:,} is the most")
            self.memory[name] = np.zeros(shape, np.float32)
        return self.memory[name]

    def conv(
        self,
        name: str,
        x: Floats,
        taps: Taps,
        outputs: int,
        limit: float = 4.0,
        strict: bool = False,
        gain: float = 1.0,
    ) -> Floats:
        """A queue keeps the inputs of as many pixels as the taps reach back. A pixel's channels see each other in their order."""
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
                continue  # no channel of this pixel is known yet: its slot of the queue holds an older pixel
            if pixel + offset >= 0 and self._inside(pixel, tap):
                gathered[:, k * c * width : (k + 1) * c * width] = queue[(pixel + offset) % reach, : self.rows]
        mine = slice(channel * outputs, (channel + 1) * outputs)
        product, s = self.weights.product(name, c * outputs, gathered.shape[1], mine)
        acc = self.weights.kernel.product(gathered, product)
        return acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", c * outputs)[mine]

    def joined(
        self, name: str, x: Floats, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Floats:
        """A masked fully connected layer (Germain et al. 2015, §4) whose nodes hold vectors. Biases float32 [T, outputs]."""
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
        y: Floats = acc * s[mine] * np.float32(limit / 127) + bias
        return y

    def _offsets(self, taps: Taps) -> list[int]:
        """Taps as distances in pixels, 0 or negative."""
        if len(taps[0]) == 1:
            return [tap[0] for tap in taps]
        return [tap[0] * self.shape[1] + tap[1] for tap in taps]

    def _inside(self, pixel: int, tap: tuple[int, ...]) -> bool:
        return len(tap) == 1 or 0 <= pixel % self.shape[1] + tap[1] < self.shape[1]

    def coordinates(self, name: str, width: int) -> Floats:
        if self.order is None:
            raise TokpressError("coordinates are of items; give the prior a shape")
        rows, columns, channels = (*self.shape, 1, 1)[:3]
        pixel, channel = divmod(int(self.order[self.at]), channels)
        out: Floats = self.weights.vector(name + ".row", rows, width)[pixel // columns]
        if columns > 1:
            out = out + self.weights.vector(name + ".column", columns, width)[pixel % columns]
        if channels > 1:
            out = out + self.weights.vector(name + ".channel", channels, width)[channel]
        return out[None]

    def recur(self, name: str, f: Floats, c: Floats) -> Floats:
        h = self._kept(name, self.lanes, f.shape[1])[: self.rows]
        h[...] = f * h + (np.float32(1) - f) * c
        return h.copy()

    def unroll(self, name: str, cell: Callable[..., Sequence[Floats]], x: Floats, widths: Sequence[int]) -> Floats:
        kept = [self._kept(f"{name}.{i}", self.lanes, width)[: self.rows] for i, width in enumerate(widths)]
        new = cell(x, *kept)
        for old, value in zip(kept, new):
            old[...] = value
        return new[0]

    def attend(
        self,
        name: str,
        q: Floats,
        k: Floats,
        v: Floats,
        heads: int,
        reach: int = 0,
        pattern: attention.Pattern | None = None,
    ) -> Floats:
        """A cache keeps the keys and values of the steps that may be seen."""
        distances = None if not reach else self.weights.vector(name + ".distance", heads, reach)
        self._finite(np.concatenate([q, k, v], 1))
        if name not in self.caches:
            self.caches[name] = attention.Cache(self.lanes, reach or self.item, heads, q.shape[1] // heads)
        return attention.step(self.caches[name], q, k, v, self.at, self.rows, distances, pattern)

    def attend_linear(self, name: str, q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
        """φ(q)·S / φ(q)·z with S_t = S_{t−1} + φ(k) vᵀ, z_t = z_{t−1} + φ(k) (eq. 18–20)."""
        n, d = self.rows, q.shape[1] // heads
        sums = self._kept(name, self.lanes, heads, d, d + 1)[:n]
        return recurrent.linear_attention(self.positive(q), self.positive(k), v, sums)

    def state_space(self, name: str, u: Floats, size: int) -> Floats:
        """A diagonal linear state space (Gu et al. 2022, S4D)."""
        width = u.shape[1]
        a, c = (self.weights.vector(f"{name}.{part}", 2, width, size) for part in ("transition", "readout"))
        if float((a[0] * a[0] + a[1] * a[1]).max()) > LARGEST_GROWTH:
            raise ModelError(f"model.safetensors: states of {name} grow without end; the file is damaged")
        h = self._kept(name, 2, self.lanes, width, size)[:, : self.rows]
        return recurrent.state_space(u, h, a, c, self.weights.vector(name + ".skip", width))
