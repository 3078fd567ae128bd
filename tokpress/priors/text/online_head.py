"""An output layer that learns while it codes: dynamic evaluation of the last matrix.

    logits_v = s_v · (q_v · f) + b_v,   f = r · a,   q = round(M)            M starts as the trained weights
    after each symbol y:   M_y += η · f / s_y,     M_v −= η / J · f / s_v   for J symbols v drawn from p

The gradient of −ln p(y) in the row of v is (p(v) − [v = y]) · f. Its dense part has a row for each
symbol; J rows drawn from p have the same mean. Systematic resampling, v_j = min {v : Σ_{w ≤ v} p(w) > (j + u) / J}, draws each
symbol as often as expected, to within one. Krause et al. 2018, "Dynamic evaluation of neural sequence models", §3; Kitagawa 1996,
"Monte Carlo filter and smoother", §A.2 (the draw). The other layers do not learn, so nothing is propagated.

A row that is drawn more than eight times in one step, by similar lanes, moves as if it were drawn eight times. M holds integers in units
of 2^-16, whose sums do not depend on their order. All lanes share M. The weights q of the products are rounded from M after every
`ROUND_EVERY` symbols. Symbols: V symbols, D features, n lanes, J draws.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...exact import ops
from ...tokens import Tokens

Features = NDArray[np.float32]  # [n, D], or [n, 1] of one factor a lane
Weights = NDArray[np.int32]  # [n, V], a pmf before the division by their sum

DRAWS = 8
#: symbols between two roundings of M, at least one step
ROUND_EVERY = 16
FRACTION = 16
HALF = 1 << (FRACTION - 1)
LOWEST, HIGHEST = -64, 63
#: largest move of a weight by one symbol, in 2^-16 for each unit of an activation
MAX_MOVE = np.float32(2047)
PER_DRAW = np.float32(-1 / DRAWS)
#: moves of one row in one step that count fully, in draws; similar lanes would move a row too far
MAX_TAUGHT = np.float32(8 * DRAWS)
#: lower bound of a scale
TINY = np.float32(2.0**-40)


def uniform(lane: int, step: int) -> int:
    """u · 2^16: a number for each lane and step, the same in encoder and decoder."""
    x = (lane * 0x3C6EF372 + step * 0x2545F491 + 0x1B873593) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return (x ^ (x >> 12)) & 0xFFFF


def draw(weights: Weights, u: int) -> NDArray[np.int64]:
    """DRAWS symbols from integer weights [V]. u: between 0 and 2^16."""
    cumulative = np.cumsum(weights, dtype=np.int64)
    targets = ((np.arange(DRAWS, dtype=np.int64) << 16) + u) * cumulative[-1] // (DRAWS << 16)
    symbols: NDArray[np.int64] = np.searchsorted(cumulative, targets, side="right")
    return symbols


class OnlineHead:
    """The head of one frame. core/text_head.h computes the same bit for bit."""

    #: rows drawn for each symbol
    draws = DRAWS

    def __init__(self, tensors: Mapping[str, NDArray[Any]], rate: float, lanes: int) -> None:
        q = tensors["head.weight"]
        self.scale, self.bias = tensors["head.scale"], tensors["bias"]
        self.master = q.astype(np.int32) << FRACTION
        self.unit = np.float32(rate * (1 << FRACTION)) / np.maximum(self.scale, TINY)
        self.touched = np.zeros(len(q), np.bool_)
        self.round_steps, self.steps_since, self.count = max(1, ROUND_EVERY // lanes), 0, 0
        # of the last step, whose symbols are not learned yet
        self.a = np.zeros((lanes, q.shape[1]), np.int32)
        self.r = np.zeros(lanes, np.float32)
        self.drawn = np.zeros((lanes, self.draws), np.int32)
        self.columns = np.ascontiguousarray(q.T).astype(np.float32)

    def step(self, a: Features, r: Features) -> Pmf:
        """The conditionals of the first n lanes from their features a [n, D], r [n, 1], which `learn` uses in the next step."""
        w = ops.exp2_weights(np, a @ self.columns * self.scale * r + self.bias)
        self._keep(a, r)
        for lane, row in enumerate(w):
            self.drawn[lane, :DRAWS] = draw(row, uniform(lane, self.count))
        pmf: Pmf = ops.over_sum(np, w)
        return pmf

    def _keep(self, a: Features, r: Features) -> None:
        self.a[: len(a)], self.r[: len(a)] = a, r.reshape(-1)

    def _learn(self, symbols: Tokens) -> None:
        n = len(symbols)
        count = np.bincount(self.drawn[:n].reshape(-1), minlength=len(self.unit))
        count += DRAWS * np.bincount(symbols, minlength=len(self.unit))
        unit = self.unit * np.minimum(np.float32(1), MAX_TAUGHT / np.maximum(count, 1).astype(np.float32))
        taught = np.concatenate([self.drawn[:n], symbols[:, None]], 1).astype(np.int64)
        by = unit[taught] * self.r[:n, None]
        by[:, :DRAWS] *= PER_DRAW
        self._move(taught, by)

    def _move(self, rows: NDArray[np.int64], by: NDArray[np.float32]) -> None:
        """Add `by` [n, M], rounded, times the features of each lane, to rows [n, M]."""
        n, moves = len(rows), np.rint(np.minimum(np.maximum(by, -MAX_MOVE), MAX_MOVE)).astype(np.float64)
        distinct, place = np.unique(rows.reshape(-1), return_inverse=True)
        together = np.zeros((len(distinct), n))
        np.add.at(together, (place.reshape(-1), np.repeat(np.arange(n), rows.shape[1])), moves.reshape(-1))
        # integers below 2^53, so float64 sums are exact; sums of thousands of lanes with tiny scales wrap around at 2^32, as sums of
        # int32 do
        self.master[distinct] += (together @ self.a[:n].astype(np.float64)).astype(np.int64).astype(np.int32)
        self.touched[distinct] = True

    def _round(self) -> None:
        rows = np.flatnonzero(self.touched)
        kept = np.clip(self.master[rows], LOWEST << FRACTION, HIGHEST << FRACTION)
        self.master[rows], self.touched[rows] = kept, False
        self.columns[:, rows] = ((kept + HALF) >> FRACTION).T.astype(np.float32)

    def learn(self, symbols: Tokens | None) -> None:
        """Learn the symbols [n] of the last step. Rounds the weights every `round_steps` steps."""
        if symbols is None:
            return
        self._learn(symbols)
        self.count += 1
        self.steps_since += 1
        if self.steps_since == self.round_steps:
            self.steps_since = 0
            self._round()
