"""The exact arithmetic of autoencoders: whole items at once, on grids of several resolutions, with the same bits on every machine.

An encoder or a decoder of a learned tokenizer is written once in the operations of `network_ops.FieldOps`. `Fields` computes
them exactly in numpy, so that tokens are decoded to the same reconstruction on every machine;
`training.nets.fields.TrainedFields` computes the same functions with gradients.

    values   x [n·D_1·D_2·…, C] float32: n items, a row per place of the grid `dims` = (D_1, D_2, …), raster order
    dims     time for sound, rows and columns for pictures, time, rows and columns for video
"""

import math
from collections.abc import Sequence

import numpy as np

from . import attention
from .arrays import Floats
from .network_ops import Spans
from .rowwise import RowwiseExact
from .weights import Weights


class Fields(RowwiseExact):
    def __init__(self, weights: Weights, dims: tuple[int, ...], items: int) -> None:
        super().__init__(weights, items * math.prod(dims))
        self.lanes = items
        self._set(dims)

    def _set(self, dims: tuple[int, ...]) -> None:
        self.dims = dims
        self.rows = self.lanes * math.prod(dims)

    def _grid_of(self, x: Floats) -> Floats:
        return x.reshape(self.lanes, *self.dims, -1)

    def conv(self, name: str, x: Floats, spans: Spans, outputs: int, limit: float = 4.0, gain: float = 1.0) -> Floats:
        sides = [last - first + 1 for first, last in spans]
        self.weights.quantized(name, outputs, math.prod(sides) * x.shape[1])  # before anything is allocated
        grid = self._grid(self._grid_of(x), limit)
        before_after = [(0, 0), *((-first, last) for first, last in spans), (0, 0)]
        padded = np.pad(grid, before_after)
        gathered = np.empty((*grid.shape[:-1], math.prod(sides), x.shape[1]), np.float32)
        for k, at in enumerate(np.ndindex(*sides)):
            part = tuple(slice(a, a + d) for a, d in zip(at, self.dims))
            gathered[..., k, :] = padded[(slice(None), *part)]
        gathered = gathered.reshape(self.rows, -1)
        product, s = self.weights.product(name, outputs, gathered.shape[1])
        acc = self.weights.kernel.product(gathered, product)
        return acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", outputs)

    def down(self, x: Floats, factors: Sequence[int]) -> Floats:
        d, w = len(factors), x.shape[1]
        coarse = tuple(side // f for side, f in zip(self.dims, factors))
        split = x.reshape(self.lanes, *(s for pair in zip(coarse, factors) for s in pair), w)
        order = [0, *range(1, 2 * d + 1, 2), *range(2, 2 * d + 1, 2), 2 * d + 1]
        self._set(coarse)
        return np.ascontiguousarray(split.transpose(order)).reshape(self.rows, -1)

    def up(self, x: Floats, factors: Sequence[int]) -> Floats:
        d, w = len(factors), x.shape[1] // math.prod(factors)
        split = x.reshape(self.lanes, *self.dims, *factors, w)
        order = [0, *(axis for i in range(d) for axis in (1 + i, 1 + d + i)), 2 * d + 1]
        self._set(tuple(side * f for side, f in zip(self.dims, factors)))
        return np.ascontiguousarray(split.transpose(order)).reshape(self.rows, w)

    def ahead(self, x: Floats, count: int) -> Floats:
        grid = self._grid_of(x)
        grid = np.concatenate([grid[:, :1]] * count + [grid], 1)
        self._set((self.dims[0] + count, *self.dims[1:]))
        return grid.reshape(self.rows, -1)

    def places(self, name: str, width: int) -> Floats:
        out: Floats = np.zeros((1,) * len(self.dims) + (width,), np.float32)
        for i, side in enumerate(self.dims):
            vector = self.weights.vector(f"{name}.{i}", side, width)
            out = out + vector.reshape(*(side if j == i else 1 for j in range(len(self.dims))), width)
        return np.tile(out.reshape(-1, width), (self.lanes, 1))

    def attend(self, name: str, q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
        self._finite(np.concatenate([q, k, v], 1))
        size = self.rows // self.lanes
        cache = attention.Cache(self.lanes, size, heads, q.shape[1] // heads)
        attention.fill(cache, k, v)
        out = [attention.look(cache, part) for part in q.reshape(self.lanes, size, -1).swapaxes(0, 1)]
        return np.stack(out, 1).reshape(self.rows, -1)

    def beside(self, x: Floats, name: str, count: int) -> Floats:
        vectors = self.weights.vector(name, count, x.shape[1])
        size = self.rows // self.lanes
        both = np.concatenate([x.reshape(self.lanes, size, -1), np.tile(vectors, (self.lanes, 1, 1))], 1)
        self._set((size + count,))
        return both.reshape(self.rows, -1)

    def cut(self, x: Floats, first: int, last: int, dims: tuple[int, ...]) -> Floats:
        kept = x.reshape(self.lanes, self.rows // self.lanes, -1)[:, first:last]
        self._set(dims)
        return np.ascontiguousarray(kept).reshape(self.rows, -1)
