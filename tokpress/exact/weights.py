"""The tensors of a model: checked when a layer asks for them, and prepared for the kernel in use."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from .arrays import Floats, Integers, Mask
from .kernels import Kernel, NumpyKernel
from .tensors import MAX_INPUTS, SCALE, VECTOR, WEIGHT, Kind, checked, nothing_else


class Weights:
    """Tensors by name. Every method raises ModelError for a tensor that is missing, or of another shape, type or range."""

    def __init__(self, tensors: Mapping[str, np.ndarray], kernel: Kernel[Floats, Any] | None = None) -> None:
        self.tensors = tensors
        self.kernel: Kernel[Floats, Any] = kernel or NumpyKernel()
        self._products: dict[tuple[object, ...], tuple[Any, Floats]] = {}
        self._tables: dict[str, Floats] = {}
        self._checked: dict[tuple[str, tuple[int, ...]], np.ndarray] = {}

    def vector(self, name: str, *shape: int) -> Floats:
        return self.tensor(name, shape, VECTOR)

    def quantized(self, name: str, outputs: int, inputs: int) -> tuple[Integers, Floats]:
        """(int8 [N, K] of −64 … 63, scales [N])"""
        if inputs > MAX_INPUTS:
            raise ModelError(f"model.safetensors: {name} has {inputs:,} inputs; {MAX_INPUTS:,} is the most")
        q = self.tensor(name + ".weight", (outputs, inputs), WEIGHT)
        return q, self.tensor(name + ".scale", (outputs,), SCALE)

    def product(self, name: str, outputs: int, inputs: int, part: slice = slice(None)) -> tuple[Any, Floats]:
        """(weights prepared for the kernel, scales) of the outputs in `part`"""
        key = (name, part.start, part.stop)
        if key not in self._products:
            q, s = self.quantized(name, outputs, inputs)
            self._products[key] = self.kernel.prepare(np.ascontiguousarray(q[part])), s[part]
        return self._products[key]

    def masked(self, name: str, outputs: int, inputs: int, mask: Callable[[], Mask]) -> tuple[Any, Floats]:
        """`product` of weights times a `mask` of 0 and 1; one name always has the same mask."""
        key = (name, "masked")
        if key not in self._products:
            q, s = self.quantized(name, outputs, inputs)
            self._products[key] = self.kernel.prepare(np.ascontiguousarray(q * mask())), s
        return self._products[key]

    def table(self, name: str, symbols: int, width: int) -> Floats:
        """An embedding table [V, C] float32."""
        if name not in self._tables:
            q, s = self.quantized(name, symbols, width)
            self._tables[name] = q.astype(np.float32) * s[:, None]
        return self._tables[name]

    def nothing_else(self) -> None:
        """Raises ModelError for tensors that no layer has asked for."""
        nothing_else(self.tensors, {name for name, _ in self._checked})

    def tensor(self, name: str, shape: tuple[int, ...], kind: Kind) -> np.ndarray:
        """The tensor of this name, checked once for each shape."""
        if (name, shape) not in self._checked:
            self._checked[name, shape] = checked(self.tensors, name, shape, kind)
        return self._checked[name, shape]
