"""The tensors of a model: checked when a layer asks for them, and prepared for the kernel in use."""

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import ModelError
from .kernels import Kernel, NumpyKernel
from .masks import Array
from .tensors import MAX_INPUTS, SCALE, VECTOR, WEIGHT, Kind, checked, nothing_else


class Weights:
    """Tensors by name. Every method raises ModelError for a tensor that is missing, or of another shape, type or range."""

    def __init__(self, tensors: Mapping[str, Array], kernel: Kernel | None = None) -> None:
        self.tensors, self.kernel = tensors, kernel or NumpyKernel()
        self._made: dict = {}
        self._found: dict[tuple[str, tuple[int, ...]], Array] = {}

    def vector(self, name: str, *shape: int) -> Array:
        return self._checked(name, shape, VECTOR)

    def quantized(self, name: str, outputs: int, inputs: int) -> tuple[Array, Array]:
        """(int8 [N, K] of −64 … 63, scales [N])"""
        if inputs > MAX_INPUTS:
            raise ModelError(f"model.safetensors: {name} has {inputs:,} inputs; {MAX_INPUTS:,} is the most")
        q = self._checked(name + ".weight", (outputs, inputs), WEIGHT)
        return q, self._checked(name + ".scale", (outputs,), SCALE)

    def product(self, name: str, outputs: int, inputs: int, part: slice = slice(None)) -> tuple:
        """(weights prepared for the kernel, scales) of the outputs in `part`"""
        key = (name, part.start, part.stop)
        if key not in self._made:
            q, s = self.quantized(name, outputs, inputs)
            self._made[key] = self.kernel.prepare(np.ascontiguousarray(q[part])), s[part]
        return self._made[key]

    def masked(self, name: str, outputs: int, inputs: int, mask: Callable[[], Array]) -> tuple:
        """`product` of weights times a `mask` of 0 and 1; one name always has the same mask."""
        key = (name, "masked")
        if key not in self._made:
            q, s = self.quantized(name, outputs, inputs)
            self._made[key] = self.kernel.prepare(np.ascontiguousarray(q * mask())), s
        return self._made[key]

    def table(self, name: str, symbols: int, width: int) -> Array:
        """An embedding table [V, C] float32."""
        if name not in self._made:
            q, s = self.quantized(name, symbols, width)
            self._made[name] = q.astype(np.float32) * s[:, None]
        return self._made[name]

    def nothing_else(self) -> None:
        """Raises ModelError for tensors that no layer has asked for."""
        nothing_else(self.tensors, {name for name, _ in self._found})

    def _checked(self, name: str, shape: tuple[int, ...], kind: Kind) -> Array:
        if (name, shape) not in self._found:
            self._found[name, shape] = checked(self.tensors, name, shape, kind)
        return self._found[name, shape]
