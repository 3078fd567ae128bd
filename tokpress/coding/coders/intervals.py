"""Probabilities as intervals of integers, for the range coder and the stack.

With S(v) = p_0 + … + p_{v−1}, added in float32 in this order, symbol v of V has the interval

    [⌊S(v)·t⌋ + v, ⌊S(v + 1)·t⌋ + v + 1),     t = (2^24 − V) / S(V)

and the last one ends at 2^24. No interval is empty, so no symbol is impossible. The type float32 is part of the format: a float64
copy of the probabilities would decode differently. These are the intervals of constriction's `Categorical(perfect=False)` (Bamler 2022,
arXiv:2201.01741); core/rows_coder.h computes them in C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import np
from ..base import Pmf

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRECISION = 24
WHOLE = 1 << PRECISION


def edges(pmf: Pmf) -> NDArray[np.int64]:
    """pmf float32 [n, V] → the start of each symbol's interval, then 2^24: int64 [n, V + 1].

    >>> edges(np.array([[0.5, 0.25, 0.25]], np.float32)).tolist()
    [[0, 8388607, 12582912, 16777216]]

    Raises ValueError where the row is not a distribution."""
    if pmf.dtype != np.float32 or pmf.ndim != 2 or not pmf.flags.c_contiguous:
        raise TypeError(f"a pmf must be C-contiguous float32 [n, V], not {pmf.dtype} {pmf.shape}")
    n, symbols = pmf.shape
    sums = np.add.accumulate(pmf, axis=1)  # in order: np.sum would add by halves
    with np.errstate(all="ignore"):
        to_integer = np.float32(WHOLE - symbols) / sums[:, -1:]
        scaled = sums[:, :-1] * to_integer
    out = np.zeros((n, symbols + 1), np.int64)
    out[:, 1:-1] = np.where((scaled >= 0) & (scaled < WHOLE), scaled, WHOLE).astype(np.int64)
    out[:, :-1] += np.arange(symbols)
    out[:, -1] = WHOLE
    if (np.diff(out, axis=1) <= 0).any():
        raise ValueError("no probabilities that sum to 1")
    return out
