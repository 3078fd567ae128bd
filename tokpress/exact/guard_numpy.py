"""A test mode for numpy: arrays that reject operations outside the exactness rule.

    weights = Weights({name: guarded(tensor) for name, tensor in tensors.items()})

Operations on guarded arrays return guarded arrays. An operation outside the list raises InexactOperation. So do float sums, float64, and
matrix products whose entries are not integers or whose sums may exceed 2^24.
"""

from typing import Any

import numpy as np


class InexactOperation(AssertionError):
    """An operation whose result may differ between machines."""


#: functions that are exact or correctly rounded on every machine
UFUNCS = frozenset(
    [
        "add",
        "subtract",
        "multiply",
        "divide",
        "negative",
        "absolute",
        "sqrt",
        "rint",
        "floor",
        "maximum",
        "minimum",
        "clip",
        "matmul",
        "right_shift",
        "left_shift",
        "remainder",
        "floor_divide",
        "divmod",
        "equal",
        "not_equal",
        "less",
        "less_equal",
        "greater",
        "greater_equal",
        "isfinite",
        "logical_and",
    ]
)
#: functions that move values, or that call the functions above
FUNCTIONS = frozenset(
    [
        "concatenate",
        "stack",
        "split",
        "array_split",
        "pad",
        "where",
        "take",
        "round",
        "around",
        "clip",
        "sum",
        "max",
        "min",
        "amax",
        "amin",
        "any",
        "all",
        "diff",
        "zeros_like",
        "ones_like",
        "empty_like",
        "broadcast_to",
        "ascontiguousarray",
        "array_equal",
        "repeat",
        "tile",
        "reshape",
        "swapaxes",
        "moveaxis",
        "expand_dims",
        "squeeze",
        "shape",
        "size",
        "ndim",
        "copyto",
        "copy",
        "astype",
        "result_type",
        "can_cast",
    ]
)


class Guarded(np.ndarray):
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        plain = [_plain(x) for x in inputs]
        _check(ufunc.__name__, method, plain, options)
        if out is not None:
            options["out"] = tuple(_plain(x) for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc.__name__ == "matmul" and np.abs(result).max(initial=0) >= 2**24:
            raise InexactOperation("a product of carriers whose sum passes 2^24")
        return tuple(map(guarded, result)) if isinstance(result, tuple) else guarded(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ not in FUNCTIONS:
            raise InexactOperation(f"numpy.{function.__name__} is not on the exactness rule's list")
        result = super().__array_function__(function, types, args, kwargs)
        # some functions, for example concatenate, return plain arrays, which are not guarded
        return type(result)(map(guarded, result)) if isinstance(result, (tuple, list)) else guarded(result)


def guarded(x: Any) -> Any:
    """
    >>> guarded(np.ones(3, np.float32)) * 2
    Guarded([2., 2., 2.], dtype=float32)
    >>> np.exp(guarded(np.ones(3, np.float32)))
    Traceback (most recent call last):
    ...
    tokpress.exact.guard_numpy.InexactOperation: exp is not on the exactness rule's list
    """
    return x.view(Guarded) if isinstance(x, np.ndarray) else x


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Guarded) else x


def _check(name: str, method: str, inputs: list[Any], options: dict[str, Any]) -> None:
    if name not in UFUNCS:
        raise InexactOperation(f"{name} is not on the exactness rule's list")
    arrays = [x for x in inputs if isinstance(x, np.ndarray)]
    floats = [x for x in arrays if x.dtype.kind == "f"]
    if any(x.dtype == np.float64 for x in floats):
        raise InexactOperation(f"{name} of float64: a Python float or an integer array has widened it")
    if method in ("reduce", "accumulate", "reduceat") and name in ("add", "multiply") and floats:
        raise InexactOperation("a float sum depends on its order: sum integers")
    if name == "matmul":
        a, b = arrays
        if not all(np.array_equal(x, np.rint(x)) for x in (a, b)):
            raise InexactOperation("a matrix product of values that are not integers in float32 carriers")
        if a.size and b.size and float(np.abs(a).sum(-1).max()) * float(np.abs(b).max()) >= 2**24:
            raise InexactOperation("a product of carriers whose sum may pass 2^24")
