"""The parallel form of `Exact`: all steps at once of items whose symbols are known, with the same bits.

Values are [n·T, C]: the T steps of the first item, then those of the next. Row-by-row operations are inherited, since an integer sum
is the same for one row and for many. The others limit the rows that a step may see: convolutions gather them from the whole item,
joined layers mask their weights, recurrences and attention go step by step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arithmetic import Exact
from .arrays import Floats
from .layers import LayersExact
from .masks import Taps, earlier_mask, own_mask, taps_of
from .network_ops import Stack
from .orders import Order, Shape
from .rows import shifted
from .weights import Weights


def gather(grid: Floats, taps: Taps) -> Floats:
    """grid [n, rows, columns, C] → its neighbours at each tap (rows, columns), zeros outside: [n·rows·columns, taps·C]."""
    n, rows, columns, width = grid.shape
    out = np.zeros((n, rows, columns, len(taps), width), np.float32)
    for k, (down, right) in enumerate(taps):
        here, there = shifted(right, columns)
        if rows + down <= 0:
            continue
        out[:, -down:, here, k] = grid[:, : rows + down, there]
    return out.reshape(n * rows * columns, -1)


class ParallelExact(Exact):
    """`lanes` items, all their steps at once."""

    def __init__(self, weights: Weights, shape: Shape, order: Order | None, lanes: int) -> None:
        super().__init__(weights, shape, order, lanes)
        self.at, self.rows = 0, lanes * self.item

    # --- products over the whole item --------------------------------------------------------------

    def _of_positions(self, x: Floats, strict: bool) -> Floats:
        """[n, T, C] by position. `strict`: row t holds features of the symbol at t − 1; no row holds those of the last symbol."""
        x = x.reshape(self.lanes, self.item, -1)
        return np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], 1) if strict else x

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
        taps, c = taps_of(taps, strict, self.channels, self.raster), self.channels
        width = x.shape[1]
        pixels = self._grid(self._of_positions(x, strict), limit).reshape(self.lanes, -1, c * width)
        if len(taps[0]) == 1:
            gathered = gather(pixels[:, :, None], [(tap[0], 0) for tap in taps])
        else:
            gathered = gather(pixels.reshape(self.lanes, *self.shape[:2], -1), taps)
        product, s = self.weights.masked(
            name, c * outputs, gathered.shape[1], lambda: own_mask(taps, strict, c, width, outputs)
        )
        acc = self.weights.kernel.product(gathered, product)
        made = acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", c * outputs)
        return made.reshape(self.rows, outputs)

    def joined(
        self, name: str, x: Floats, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Floats:
        width, size = x.shape[1], self.item
        a = self._grid(self._of_positions(x, strict), limit).reshape(self.lanes, size * width)
        product, s = self.weights.masked(
            name, size * outputs, size * width, lambda: earlier_mask(size, strict, width, outputs)
        )
        acc = self.weights.kernel.product(a, product) * s * np.float32(limit / 127)
        return (acc.reshape(self.lanes, size, outputs) + self.weights.vector(name + ".bias", size, outputs)).reshape(
            self.rows, outputs
        )

    def coordinates(self, name: str, width: int) -> Floats:
        return np.tile(
            np.concatenate(self._steps(lambda: super(ParallelExact, self).coordinates(name, width))), (self.lanes, 1)
        )

    def vertical(self, name: str, stack: Stack, x: Floats) -> Floats:
        height, width, c = self.shape[0], self.shape[1], self.channels
        pixels = self._of_positions(x, True).reshape(self.lanes, height, width, -1)
        above = np.concatenate([np.zeros_like(pixels[:, :1]), pixels[:, :-1]], 1)
        made = stack(_ParallelRows(self.weights, (height, width), None, self.lanes), above.reshape(-1, above.shape[3]))
        return np.repeat(made, c, 0)

    def joint(self, *x: Floats) -> Floats:
        return np.concatenate(x, 1)

    # --- step by step ------------------------------------------------------------------------------

    def _steps(self, work: Callable[..., Any], *x: Floats) -> list[Any]:
        """`work` at each step, of the rows [n, C] of that step."""
        by_step = [v.reshape(self.lanes, self.item, -1) for v in x]
        rows, self.rows = self.rows, self.lanes
        out = []
        for step in range(self.item):
            self.at = step
            out.append(work(*(np.ascontiguousarray(v[:, step]) for v in by_step)))
        self.at, self.rows = 0, rows
        return out

    def _stepped(self, work: Callable[..., Floats], *x: Floats) -> Floats:
        return np.stack(self._steps(work, *x), 1).reshape(self.rows, -1)

    def recur(self, name: str, f: Floats, c: Floats) -> Floats:
        return self._stepped(lambda f, c: super(ParallelExact, self).recur(name, f, c), f, c)

    def unroll(self, name: str, cell: Callable[..., Sequence[Floats]], x: Floats, widths: Sequence[int]) -> Floats:
        return self._stepped(lambda x: super(ParallelExact, self).unroll(name, cell, x, widths).copy(), x)

    def attend(self, name: str, q: Floats, k: Floats, v: Floats, heads: int, *more: Any) -> Floats:
        return self._stepped(lambda q, k, v: super(ParallelExact, self).attend(name, q, k, v, heads, *more), q, k, v)

    def attend_linear(self, name: str, q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
        return self._stepped(lambda q, k, v: super(ParallelExact, self).attend_linear(name, q, k, v, heads), q, k, v)

    def state_space(self, name: str, u: Floats, size: int) -> Floats:
        return self._stepped(lambda u: super(ParallelExact, self).state_space(name, u, size), u)

    def upsampled(self, name: str, shape: Shape, symbols: int, width: int, outputs: int) -> Floats:
        return self._stepped(lambda: super(ParallelExact, self).upsampled(name, shape, symbols, width, outputs))

    def attend_given(self, name: str, q: Floats, k: Floats, v: Floats, heads: int) -> Floats:
        return self._stepped(lambda q: super(ParallelExact, self).attend_given(name, q, k, v, heads), q)


class _ParallelRows(LayersExact):
    """A vertical stack (`rows.Rows`) over all rows of a picture: values [n·H·W, C]."""

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
        grid = self._grid(x, limit).reshape(self.lanes, *self.shape, -1)
        if strict:  # a row holds features of the row above it; no row holds those of the last one
            grid = np.concatenate([grid[:, 1:], np.zeros_like(grid[:, :1])], 1)
        gathered = gather(grid, taps)
        product, s = self.weights.product(name, outputs, gathered.shape[1])
        acc = self.weights.kernel.product(gathered, product)
        return acc * s * np.float32(limit / 127) + self.weights.vector(name + ".bias", outputs)

    def joint(self, *x: Floats) -> Floats:
        return np.concatenate(x, 1)
