"""Exact operations on each row of features by itself (`network_ops.RowOps`), shared by steps, whole items and fields.

Products are of 7-bit weights and 8-bit activations, summed as integers; everything else is one correctly rounded float32
operation at a time (docs/exactness.md), so that a row has the same bits in any batch, on any machine.
"""

import numpy as np

from ..errors import ModelError
from . import ops
from .arrays import Floats, Integers
from .weights import Weights


class RowwiseExact:
    """Values are [n, C] float32; `rows` is n."""

    def __init__(self, weights: Weights, rows: int) -> None:
        self.weights, self.rows = weights, rows

    def _finite(self, x: Floats) -> None:
        """Refuse infinities and NaN: rounding them gives different integers on different machines."""
        if not np.isfinite(x).all():
            raise ModelError("model.safetensors: its numbers grow beyond all bounds; the file is damaged")

    def _grid(self, x: Floats, limit: float) -> Floats:
        """Round to integers −127 … 127 on the grid of `limit`."""
        self._finite(x)
        rounded: Floats = np.round(np.clip(x * np.float32(127 / limit), np.float32(-127), np.float32(127)))
        return rounded

    def embed(self, name: str, tokens: Integers, symbols: int, width: int) -> Floats:
        return self.weights.table(name, symbols, width)[tokens]

    def linear(
        self, name: str, x: Floats, outputs: int, normed: bool = False, limit: float = 0.0, gain: float = 1.0
    ) -> Floats:
        product, s = self.weights.product(name, outputs, x.shape[1])
        if limit:
            return self.weights.kernel.product(self._grid(x, limit), product) * s * np.float32(limit / 127)
        self._finite(x)
        a: Floats
        r: Floats
        a, r = ops.normalize_rows(np, x) if normed else ops.quantize_rows(np, x)
        return self.weights.kernel.product(a, product) * s * r

    def bias(self, name: str, width: int, first: float = 0.0, last: float | None = None) -> Floats:
        return self.weights.vector(name, width)

    def norm(self, x: Floats) -> Floats:
        """The rms is that of the row rounded to 8 bits: an integer sum."""
        self._finite(x)
        peak = np.maximum(np.abs(x).max(1, keepdims=True), np.float32(ops.TINY))
        up = (np.float32(1) / peak) * np.float32(ops.ACTIVATION_MAX)
        scale: Floats = ops.normalize_rows(np, x)[1]
        normalized: Floats = x * (up * scale)
        return normalized

    def gate(self, x: Floats) -> Floats:
        gates: Floats = ops.gate(np, x)
        return gates

    def bounded(self, x: Floats) -> Floats:
        return x / np.sqrt(np.float32(1) + x * x)

    def relu(self, x: Floats) -> Floats:
        return np.maximum(x, np.float32(0))

    def positive(self, x: Floats) -> Floats:
        return np.float32(0.5) * (x + np.sqrt(x * x + np.float32(1)))

    def dropout(self, x: Floats, share: float) -> Floats:
        return x

    def joint(self, *x: Floats) -> Floats:
        return np.concatenate([np.broadcast_to(v, (self.rows, v.shape[1])) for v in x], 1)

    def parts(self, x: Floats, count: int) -> list[Floats]:
        return np.split(x, count, 1)
