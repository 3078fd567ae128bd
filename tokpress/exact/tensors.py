"""What a tensor of a model file must be before anything is computed with it, or allocated for it."""

import numpy as np

from ..errors import ModelError

#: of int8 weights; seven bits, so that no kernel's sums saturate
LEAST_WEIGHT = -64
#: of float32 tensors: far above what trains, far below what makes infinities of sums of products
LARGEST = 2.0**16


def checked(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The tensor of this name. Raises ModelError where it is missing, of another shape or dtype, holds what is no number
    or a huge one (float32), or weights of more than seven bits (int8)."""
    t = tensors.get(name)
    if t is None or t.shape != shape or str(t.dtype) != dtype:
        raise ModelError(f"model.safetensors: {name} should be {dtype} {shape}; the file is damaged or foreign")
    if dtype == "float32" and t.size and not float(np.abs(t).max()) <= LARGEST:
        raise ModelError(f"model.safetensors: {name} holds what is no number, or none of a model; the file is damaged")
    if dtype == "int8" and t.size and int(t.min()) < LEAST_WEIGHT:
        raise ModelError(f"model.safetensors: {name} holds weights below −64; 7-bit weights are required")
    return t
