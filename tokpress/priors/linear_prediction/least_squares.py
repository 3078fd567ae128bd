"""Ridge regression of a sample on its neighbours: weights w of least weighted squared error so far (core: prediction_squares.h).

    A = Σ decay^age x xᵀ,   b = Σ decay^age x s,   (A + ridge I) w = b     by L D Lᵀ (Cholesky without roots)

Rows hold the n neighbours x, then the target s, so b is column n of A and the elimination of A transforms b too.
Arrays are float32 for pixels of 8 bits, else float64."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arithmetic import LANES, total

Matrix = NDArray[Any]  # float32 or float64: [n, padded], of which the upper triangle is used, or a row of it


def padded(n: int, dtype: DTypeLike) -> int:
    """Columns for n neighbours and a target, rounded up to vectors of 32 bytes."""
    lanes: int = 32 // np.dtype(dtype).itemsize
    return (n // lanes + 1) * lanes


def batch(rows: Matrix, n: int) -> Matrix:
    """Σ x xᵀ over rows [count, padded], in order."""
    out = np.zeros((n, rows.shape[1]), rows.dtype)
    for row in rows:
        out = out + row[:n, None] * row[None, :]
    return out


def dot(w: Matrix, x: Matrix) -> np.float32 | np.float64:
    """w · x; both are zero behind the neighbours."""
    lanes = LANES if w.dtype == np.float32 else LANES // 2
    sums = np.zeros(lanes, w.dtype)
    for begin in range(0, len(w), lanes):
        sums = sums + w[begin : begin + lanes] * x[begin : begin + lanes]
    sum_of_lanes: np.float32 | np.float64 = total(sums)
    return sum_of_lanes


def solve(a: Matrix, ridge: float, w: Matrix) -> Matrix:
    """The weights; w, the old ones, where a pivot is not above ridge / 16. Destroys A.

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
