"""A vertical stack: features of whole rows of a picture, computed when the row above is known.

Features of a pixel may depend on all pixels of the rows above, also those to the right, so they are computed for the
whole row at its first pixel: values are [n·W, C], one row of W pixels after another. All operations but convolutions work
on each row of the array by itself, as they do for single pixels.
"""

import numpy as np

from .arrays import Floats
from .layers import LayersExact
from .masks import Taps


def shifted(right: int, columns: int) -> tuple[slice, slice]:
    """The columns of a row that have a neighbour `right` of them, and those neighbours: none where a row is too short.

    >>> shifted(1, 5), shifted(-3, 2)
    ((slice(0, 4, None), slice(1, 5, None)), (slice(2, 2, None), slice(0, 0, None)))
    """
    here = slice(min(columns, max(0, -right)), max(0, min(columns, columns - right)))
    return here, slice(min(columns, max(0, right)), max(0, min(columns, columns + right)))


class Rows(LayersExact):
    """The arithmetic for a whole row at a time."""

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
        """`strict`: x is of the row above, and taps are at least one row up; otherwise x is of this row, and taps may lie in it."""
        height, width, c = 1 - min(t[0] for t in taps), self.shape[1], x.shape[1]
        self.weights.quantized(name, outputs, len(taps) * c)  # before anything is allocated
        queue = self._kept(name, height, self.lanes, width, c)
        if (now := self.at - strict) >= 0:
            queue[now % height, : self.rows] = self._grid(x, limit).reshape(self.rows, width, c)
        gathered = np.zeros((self.rows, width, len(taps), c), np.float32)
        for k, (down, right) in enumerate(taps):
            if self.at + down >= 0:
                here, there = shifted(right, width)
                gathered[:, here, k] = queue[(self.at + down) % height, : self.rows, there]
        product, s = self.weights.product(name, outputs, len(taps) * c)
        acc = self.weights.kernel.product(gathered.reshape(self.rows * width, -1), product)
        return acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", outputs)

    def joint(self, *x: Floats) -> Floats:
        return np.concatenate([np.broadcast_to(v, (self.rows * self.shape[1], v.shape[1])) for v in x], 1)
