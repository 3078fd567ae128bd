"""The exact arithmetic of a prior's network: one step of every lane, in numpy, with the same bits on every machine.

A network (`tokpress.priors.lecture.network`) is written once, in the operations of `network_ops.NetworkOps`. `Exact` computes them
one step at a time and keeps the memory that later steps need; `training.nets.arithmetic.Trained` computes the same functions for
all steps at once, with gradients. A test compares the two.

    values        x [n, C] float32: one row per lane
    products      7-bit weights · 8-bit activations, integer sums (docs/exactness.md)
    `linear`      activations rounded row by row: a = round(x·127 / max|x|)
    `limit=ℓ`     activations rounded on one grid for all rows and steps: a = round(clip(x, ±ℓ)·127/ℓ). Convolutions and
                  attention need the common grid, because they add values of several steps

`rowwise`, `layers` and this file are the three levels of `network_ops`; `rows` and `encoder` are the arithmetic of sub-networks.
"""

import numpy as np

from . import attention, logistics, ops
from .arrays import Floats, Integers
from .encoder import Encoder
from .layers import LayersExact
from .network_ops import Stack
from .orders import Order, Shape
from .rows import Rows
from .weights import Weights


class Exact(LayersExact):
    def __init__(self, weights: Weights, shape: Shape, order: Order | None, lanes: int) -> None:
        super().__init__(weights, shape, order, lanes)
        self.given: Integers = np.zeros((lanes, 0), np.int64)

    def give(self, given: Integers) -> None:
        """The symbols [lanes, M] of the items from which each lane's next item is predicted."""
        self.given = given

    def vertical(self, name: str, stack: Stack, x: Floats) -> Floats:
        """Runs the stack for a whole row at the row's first pixel (`exact.rows`). A pixel's channels share the result."""
        height, width, c = self.shape[0], self.shape[1], self.channels
        features = x.shape[1]
        above = self._kept(name, self.lanes, width, c * features)
        if self.at:
            pixel, channel = divmod(self.at - 1, c)
            above[: self.rows, pixel % width, channel * features : (channel + 1) * features] = x
        row, column = divmod(self.at, width * c)
        if column == 0:
            if row == 0:
                self.stacks[name] = Rows(self.weights, (height, width), None, self.lanes)
            self.stacks[name].begin_step(self.rows)
            self.memory[name + ".row"] = stack(self.stacks[name], above[: self.rows].reshape(-1, c * features))
        made = self.memory[name + ".row"]
        return made.reshape(-1, width, made.shape[1])[: self.rows, column // c]

    def upsampled(self, name: str, shape: Shape, symbols: int, width: int, outputs: int) -> Floats:
        """Computes the whole conditioning picture at an item's beginning; nothing of it is masked."""
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

    def encoded(self, stack: Stack, shape: Shape) -> Floats:
        """Runs the encoder at an item's beginning (`exact.encoder`)."""
        if self.at == 0:
            self.memory["encoded"] = stack(Encoder(self.weights, shape, self.lanes), self.given.reshape(-1))
        return self.memory["encoded"]

    def attend_given(self, name: str, q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
        self._finite(q)
        if name not in self.caches:
            self._finite(np.concatenate([k, v], 1))
            self.caches[name] = attention.Cache(self.lanes, len(k) // self.lanes, heads, q.shape[1] // heads)
            attention.fill(self.caches[name], k, v)
        return attention.look(self.caches[name], q)

    def _below(self, shape: Shape) -> Integers:
        """For each pixel, the pixel of a coarser picture of `shape` that covers it."""
        rows, columns = np.indices(self.shape[:2])
        place: Integers = rows * shape[0] // self.shape[0] * shape[1] + columns * shape[1] // self.shape[1]
        return place.reshape(-1)

    def predict(self, name: str, x: Floats, symbols: int) -> Floats:
        self._finite(x)
        product, s = self.weights.product(name, symbols, x.shape[1])
        a, r = ops.normalize_rows(np, x)
        acc, bias = self.weights.kernel.product(a, product), self.weights.vector(name + ".bias", symbols)
        pmf: Floats = ops.softmax(np, acc, s, r, bias)
        return pmf

    def predict_logits(self, logits: Floats) -> Floats:
        self._finite(logits)
        one = np.float32(1)
        all_logits = np.concatenate([np.zeros_like(logits[:, :1]), logits], 1)
        pmf: Floats = ops.softmax(np, all_logits, one, one, np.float32(0))
        return pmf

    def predict_logistics(self, name: str, x: Floats, symbols: int, components: int) -> Floats:
        self._finite(x)
        y = self.linear(name, x, 3 * components, normed=True, gain=0.3) + self.bias(name + ".bias", 3 * components)
        log_weights, means, log_scales = np.split(y, 3, 1)
        return logistics.pmf(log_weights, means, log_scales, symbols)
