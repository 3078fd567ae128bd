"""The row operations (core/rows.c) on contiguous float32 arrays. `exact.ops` has the formulas and is the twin."""

from __future__ import annotations

from typing import Any

from ..lazy import np
from . import library
from .handle import COUNT, POINTER

Rows = Any


def _run(name: str, using: str | None, *arguments: Any) -> None:
    kinds = [COUNT if isinstance(argument, int) else POINTER for argument in arguments]
    pointers = [argument if isinstance(argument, int) else _pointer(argument) for argument in arguments]
    library.checked(library.function(name, *kinds, using=using)(*pointers))


def _pointer(array: Any) -> Any:
    if array.dtype not in (np.float32, np.int32, np.int64) or not array.flags.c_contiguous:
        raise TypeError(f"rows for the core are contiguous float32, not {array.dtype} {array.shape}")
    return array.ctypes.data


def _fits(shape: tuple[int, ...], *arrays: Any) -> None:
    if any(array.shape != shape for array in arrays):
        raise ValueError(f"the arrays must have the same shape, {shape}")


def _out(n: int, width: int) -> tuple[Rows, Rows]:
    return np.empty((n, width), np.float32), np.empty((n, 1), np.float32)


def quantize_rows(x: Rows, using: str | None = None, norm: bool = False) -> tuple[Rows, Rows]:
    """x [n, K] → integers [n, K], row scales [n, 1]."""
    a, scale = _out(*x.shape)
    _run("rows_quantize", using, x, *x.shape, int(norm), a, scale)
    return a, scale


def normalize_rows(x: Rows, using: str | None = None) -> tuple[Rows, Rows]:
    return quantize_rows(x, using, norm=True)


def shift(x: Rows, last: Rows, mu: Rows, using: str | None = None) -> tuple[Rows, Rows]:
    """x, last [n, K], mu [K]; `last` becomes x."""
    _fits(x.shape, last)
    _fits(x.shape[1:], mu)
    a, scale = _out(*x.shape)
    _run("rows_shift", using, x, last, mu, *x.shape, a, scale)
    return a, scale


def recur(acc: Rows, s: Rows, r: Rows, bias: Rows, h: Rows, using: str | None = None) -> tuple[Rows, Rows]:
    """acc [n, 3K], s [3K], r [n, 1], bias [K]; h [n, K] is updated in place."""
    n, width = h.shape
    _fits((n, 3 * width), acc)
    _fits((3 * width,), s)
    _fits((n, 1), r)
    _fits((width,), bias)
    a, scale = _out(n, width)
    _run("rows_recur", using, acc, s, r, bias, h, n, width, a, scale)
    return a, scale


def squared_relu(acc: Rows, s: Rows, r: Rows, using: str | None = None) -> tuple[Rows, Rows]:
    """acc [n, K], s [K], r [n, 1]."""
    _fits(acc.shape[1:], s)
    _fits((len(acc), 1), r)
    a, scale = _out(*acc.shape)
    _run("rows_squared_relu", using, acc, s, r, *acc.shape, a, scale)
    return a, scale


def add(x: Rows, acc: Rows, s: Rows, r: Rows, using: str | None = None) -> None:
    """x [n, K] += acc · s · r."""
    _fits(x.shape, acc)
    _fits(x.shape[1:], s)
    _fits((len(x), 1), r)
    _run("rows_add", using, x, acc, s, r, *x.shape)


def exp2_weights(logits: Rows, using: str | None = None) -> tuple[Any, Any]:
    """logits [n, V] → int32 [n, V], and their sums int64 [n, 1]."""
    weights, total = np.empty(logits.shape, np.int32), np.empty((len(logits), 1), np.int64)
    _run("rows_weigh", using, logits, *logits.shape, weights, total)
    return weights, total
