"""Ridge regression of a sample on its neighbours: the weights w with the least weighted squared error so far (core: samples_squares.h).

    A = Σ decay^age x xᵀ,   b = Σ decay^age x s,   (A + ridge I) w = b     by L D Lᵀ (Cholesky without roots)

Rows hold the n neighbours x and behind them the target s, so that b is column n of A and the elimination of A carries b along.
float32 where samples have 8 bits and lie in a picture, else float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arithmetic import LANES, total

Matrix = NDArray[Any]  # [n, padded], of which the upper triangle is used


def padded(n: int, dtype: Any) -> int:
    """Columns of n neighbours and a target, in whole vectors of 32 bytes."""
    lanes = 32 // np.dtype(dtype).itemsize
    return (n // lanes + 1) * lanes


def batch(rows: Matrix, n: int) -> Matrix:
    """Σ x xᵀ over rows [count, padded], in their order."""
    out = np.zeros((n, rows.shape[1]), rows.dtype)
    for row in rows:
        out = out + row[:n, None] * row[None, :]
    return out


def dot(w: Matrix, x: Matrix) -> Any:
    """w · x; both are zero behind the neighbours."""
    lanes = LANES if w.dtype == np.float32 else LANES // 2
    sums = np.zeros(lanes, w.dtype)
    for begin in range(0, len(w), lanes):
        sums = sums + w[begin : begin + lanes] * x[begin : begin + lanes]
    return total(sums)


def solve(a: Matrix, ridge: float, w: Matrix) -> Matrix:
    """The weights; the old ones, w, where a pivot is not above ridge / 16. Destroys A.

    Exact pivots are at least the ridge, so a smaller one is only rounding error."""
    n, real = a.shape[0], a.dtype.type
    over_pivot = np.zeros(n, a.dtype)
    for i in range(n):
        a[i, i] += real(ridge)
    for i in range(n):
        if not a[i, i] > real(ridge) * real(0.0625):
            return w
        over_pivot[i] = real(1) / a[i, i]
        factors = a[i, i + 1 : n] * over_pivot[i]
        a[i + 1 :, i + 1 :] -= factors[:, None] * a[i, None, i + 1 :]
    solution = np.zeros(a.shape[1], a.dtype)
    for i in range(n - 1, -1, -1):
        row = np.where(np.arange(len(solution)) > i, a[i], real(0))
        solution[i] = (a[i, n] - dot(row, solution)) * over_pivot[i]
    return solution
