"""Sparse transformer: attention over O(√L) positions instead of all of them.

    strided   even layers: the last l steps; odd layers: every l-th step back        (l ≈ √L: a row, then a column)
    fixed     even layers: this block of l steps; odd layers: the last c of every earlier block

Child et al. 2019, "Generating long sequences with sparse transformers", §4.2–4.3; two layers together reach everything.
Everything else is `transformer`. Stepping reads only these steps of the cache. l = `stride`, c = `summary`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...exact.attention import Pattern
from .transformer import TransformerPrior


def strided(layer: int, stride: int) -> Pattern:
    """
    >>> strided(0, 3)(7).tolist(), strided(1, 3)(7).tolist()
    ([5, 6, 7], [1, 4, 7])
    """
    if layer % 2 == 0:
        return lambda t: np.arange(max(0, t - stride + 1), t + 1)
    return lambda t: np.arange(t % stride, t + 1, stride)


def fixed(layer: int, stride: int, summary: int) -> Pattern:
    """
    >>> fixed(0, 4, 1)(9).tolist(), fixed(1, 4, 1)(9).tolist()
    ([8, 9], [3, 7, 9])
    """
    if layer % 2 == 0:
        return lambda t: np.arange(t - t % stride, t + 1)

    def summaries(t: int) -> NDArray[np.int64]:
        before = np.arange(t)
        return np.append(before[before % stride >= stride - summary], t)

    return summaries


class SparseTransformerPrior(TransformerPrior):
    name = "sparse_transformer"
    defaults: ClassVar = {**TransformerPrior.defaults, "pattern": "strided", "stride": 28, "summary": 4}

    def pattern(self, layer: int) -> Pattern | None:
        s = self.settings
        if not self.shape:
            raise TokpressError("a sparse transformer needs items: --set shape=…")
        if s["pattern"] == "strided":
            return strided(layer, s["stride"])
        if s["pattern"] == "fixed":
            return fixed(layer, s["stride"], s["summary"])
        raise TokpressError(f"pattern={s['pattern']} of the prior 'sparse_transformer' should be strided or fixed")
