"""The integer product a · qᵀ (core/product.h); `exact.kernels` has the twin."""

import ctypes
from typing import Any

from . import library
from .handle import COUNT, POINTER


class Packed:
    """Weights q [N, K] int8 in the core's layout. Raises ValueError for weights outside −64 … 63."""

    def __init__(self, q: Any, outputs: int, inputs: int, using: str | None = None) -> None:
        """q: contiguous, N · K bytes."""
        self.outputs, self.inputs = outputs, inputs
        weights, size = library.address(q)
        if size != outputs * inputs or not size:
            raise ValueError(f"{size} bytes are not {outputs} x {inputs} weights")
        size = library.function("product_size", COUNT, COUNT, using=using)(outputs, inputs)
        if size < 0:
            raise ValueError(f"a product of {outputs} x {inputs} weights is too large")
        self._packed = (ctypes.c_int32 * (size // 4))()
        pack = library.function("product_pack", POINTER, COUNT, COUNT, POINTER, using=using)
        if pack(weights, outputs, inputs, self._packed) < 0:
            raise ValueError("weights of an integer product are -64 ... 63")
        self._product = library.function("product", POINTER, COUNT, POINTER, COUNT, COUNT, POINTER, using=using)

    def product(self, a: Any, rows: int, out: Any) -> None:
        """Write a · qᵀ to out [rows, N] float32. a [rows, K] float32 holds integers −127 … 127. Both are contiguous."""
        pointer, size = library.address(a)
        target, target_bytes = library.writable(out)
        if size != 4 * rows * self.inputs or target_bytes != 4 * rows * self.outputs:
            raise ValueError("the shapes of a product do not fit")
        library.checked(self._product(pointer, rows, self._packed, self.outputs, self.inputs, target))
