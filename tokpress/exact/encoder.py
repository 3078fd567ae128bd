"""Exact operations of an encoder: features of a conditioning item, in which every position sees every other.

Values are [n·M, C], the M positions of one lane's item after the other. Row-by-row operations are those of a decoder's
step. Attention has no mask. Coordinates are those of all positions.
"""

import numpy as np

from . import attention
from .arrays import Floats
from .layers import LayersExact
from .orders import Shape, make_order
from .weights import Weights


class Encoder(LayersExact):
    """The arithmetic for all positions of `lanes` items of `shape` at once."""

    def __init__(self, weights: Weights, shape: Shape, lanes: int) -> None:
        super().__init__(weights, shape, make_order("raster", shape), lanes)
        self.rows = lanes * self.item

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
        self._finite(np.concatenate([q, k, v], 1))
        cache = attention.Cache(self.lanes, self.item, heads, q.shape[1] // heads)
        attention.fill(cache, k, v)
        out = [attention.look(cache, part) for part in q.reshape(self.lanes, self.item, -1).swapaxes(0, 1)]
        return np.stack(out, 1).reshape(self.lanes * self.item, -1)

    def coordinates(self, name: str, width: int) -> Floats:
        rows = []
        for at in range(self.item):
            self.at = at
            rows.append(super().coordinates(name, width))
        return np.tile(np.concatenate(rows), (self.lanes, 1))
