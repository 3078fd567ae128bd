"""Bounds of the tensors in a model file, checked before anything is computed or allocated.

A prior states the name, shape and kind of each tensor. The kinds are the assumptions of docs/exactness.md about a model: within these
bounds every kernel gives the same sums, and no float becomes infinite.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ModelError
from ..lazy import np
from ..storage.tensors import Tensor, Tensors

#: most inputs of a product: sums of K · 254 · 64, and of K · 127², stay below 2^31
MAX_INPUTS = 1 << 17
#: largest tensor that is checked without numpy
MAX_BY_PYTHON = 1 << 18
#: dtype → the letter of `memoryview.cast`
FORMATS: dict[str, Any] = {"uint16": "H", "float32": "f", "int32": "i", "int64": "q"}


class Kind(NamedTuple):
    """A dtype and the bounds of its values, both included. permutation: each of 0 … N − 1 occurs once."""

    what: str
    dtype: str
    least: float
    most: float
    permutation: bool = False

    def fault(self, t: np.ndarray) -> str:
        """The error in the values of a tensor of this dtype; "" if there is none."""
        t = np.asarray(t)
        if t.dtype == np.float32 and np.isnan(t).any():
            return "one is no number"
        if t.size and not (self.least <= t.min() and t.max() <= self.most):
            return f"{self.what} lie in {self.least:g} … {self.most:g}"
        if self.permutation and not np.array_equal(np.sort(t, axis=None), np.arange(t.size)):
            return f"{self.what} are each of 0 … {t.size - 1} once"
        return ""

    def fault_of_file(self, t: Tensor) -> str:
        """`fault` of a tensor in a file. Small tensors are checked without numpy, because importing it takes longer."""
        if self.dtype == "int8":
            allowed = bytes(value & 255 for value in range(int(self.least), int(self.most) + 1))
            return (
                f"{self.what} lie in {self.least:g} … {self.most:g}" if bytes(t.data).translate(None, allowed) else ""
            )
        if t.size > MAX_BY_PYTHON or sys.byteorder != "little":
            return self.fault(t.array())
        values = t.data.cast(FORMATS[self.dtype])
        if self.dtype == "float32" and any(value != value for value in values):
            return "one is no number"
        if len(values) and not (self.least <= min(values) and max(values) <= self.most):
            return f"{self.what} lie in {self.least:g} … {self.most:g}"
        if self.permutation and sorted(values) != list(range(len(values))):
            return f"{self.what} are each of 0 … {len(values) - 1} once"
        return ""


#: weights of products: seven bits, so that no kernel's pair sums saturate
WEIGHT = Kind("weights", "int8", -64, 63)
#: scales of rows of weights: trained ones are below 0.1, and products of three scales are far from infinity
SCALE = Kind("scales", "float32", 2.0**-80, 4.0)
#: biases, learned vectors, code vectors: trained ones are far smaller, and sums of products are far from infinity
VECTOR = Kind("values", "float32", -(2.0**16), 2.0**16)
#: counts: sums over 2^24 symbols, doubled, stay below 2^63
COUNT = Kind("counts", "int64", 0, 1 << 36)
#: 2 · count + 1
DOUBLED = Kind("doubled counts", "int64", 1, 1 << 37)
#: weights of a mixer, and counters of 12 bits of p and 4 of times seen (`priors.text.priming`)
MIXED, PRIMED_COUNTER = Kind("weights", "int8", -127, 127), Kind("counters", "uint16", 16, 65535)
PERMUTATION = Kind("places", "int32", 0, 2**31 - 1, permutation=True)


def index(below: int) -> Kind:
    """Indices 0 … below − 1."""
    return Kind("numbers", "int32", 0, below - 1)


def check(tensors: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], kind: Kind) -> None:
    """Raises ModelError if the tensor of this name is missing, has another shape or dtype, or is outside the bounds of its kind.

    Tensors of a file are checked without numpy if they are small. The values of trusted tensors are not checked."""
    t: Any = tensors.raw(name) if isinstance(tensors, Tensors) else tensors.get(name)
    if t is None or t.shape != shape or str(t.dtype) != kind.dtype:
        state = "is missing" if t is None else f"is {t.dtype} {t.shape}"
        raise ModelError(
            f"the tensor {name} {state}, and should be {kind.dtype} {shape}; the file is damaged or foreign"
        )
    if isinstance(tensors, Tensors) and tensors.trusted:
        return
    if fault := kind.fault_of_file(t) if isinstance(t, Tensor) else kind.fault(t):
        raise ModelError(f"the tensor {name} is out of bounds: {fault}; the file is damaged or foreign")


def checked(tensors: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], kind: Kind) -> np.ndarray:
    """The tensor of this name, after `check`, whose ModelError it raises."""
    check(tensors, name, shape, kind)
    return tensors[name]


def nothing_else(tensors: Mapping[str, np.ndarray], names: set[str]) -> None:
    """Raises ModelError if there are tensors with other names."""
    if surplus := sorted(set(tensors) - names):
        raise ModelError(f"the tensor {surplus[0]} is none of this model; the file is damaged or foreign")
