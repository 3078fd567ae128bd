"""An output layer that learns while it codes: dynamic evaluation of the last matrix.

    logits_v = s_v · (q_v · f) + b_v,   f = r · a,   q = round(M)            M starts as the trained weights
    after each symbol y:   M_y += η · f / s_y,     M_v −= η / J · f / s_v   for J symbols v drawn from p

The gradient of −ln p(y) in the row of v is (p(v) − [v = y]) · f. Its dense part has a row for each
symbol; J rows drawn from p have the same mean. Systematic resampling, v_j = min {v : Σ_{w ≤ v} p(w) > (j + u) / J}, draws each
symbol as often as expected, to within one. Krause et al. 2018, "Dynamic evaluation of neural sequence models", §3; Kitagawa 1996,
"Monte Carlo filter and smoother", §A.2 (the draw). The other layers do not learn, so nothing is propagated.

Lanes may be alike: a row that is drawn more than eight times in one step moves as if it were drawn eight times. M holds integers
of 2^-16 of a weight and learns in integers, whose sums do not depend on their order. All lanes share M: after a step, both sides
know the symbols of every lane. The weights that products use, q, are rounded anew after every
`TOGETHER` symbols. Symbols: V symbols, D features, n lanes, J draws.
"""

from collections.abc import Mapping

import numpy as np

from ...coding.base import Pmf
from ...exact import ops
from ...tokens import Tokens

DRAWS = 8
#: symbols after which the weights are rounded anew, where lanes are few
TOGETHER = 16
FRACTION = 16
HALF = 1 << (FRACTION - 1)
LOWEST, HIGHEST = -64, 63
#: of a weight, in 2^-16, that one symbol may move it for each unit of an activation
MAX_MOVE = np.float32(2047)
PER_DRAW = np.float32(-1 / DRAWS)
#: a row that is taught more often in one step, counted in draws, is taught less each time: lanes that are alike would push it
#: all the same way, beyond where it should be
AT_ONCE = np.float32(8 * DRAWS)
#: no scale counts as less
TINY = np.float32(2.0**-40)


def uniform(lane: int, step: int) -> int:
    """u · 2^16: the same on both sides, and for nothing else than to be another one each time."""
    x = (lane * 0x3C6EF372 + step * 0x2545F491 + 0x1B873593) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return (x ^ (x >> 12)) & 0xFFFF


def draw(weights: np.ndarray, u: int) -> np.ndarray:
    """DRAWS symbols from integer weights [V]; u · 2^16 is given."""
    cumulative = np.cumsum(weights, dtype=np.int64)
    wanted = ((np.arange(DRAWS, dtype=np.int64) << 16) + u) * cumulative[-1] // (DRAWS << 16)
    return np.searchsorted(cumulative, wanted, side="right")


class OnlineHead:
    """The head of one frame. core/text_head.h computes the same bit for bit."""

    #: rows drawn for each symbol
    draws = DRAWS

    def __init__(self, tensors: Mapping[str, np.ndarray], rate: float, lanes: int) -> None:
        q = tensors["head.weight"]
        self.scale, self.bias = tensors["head.scale"], tensors["bias"]
        self.master = q.astype(np.int32) << FRACTION
        self.unit = np.float32(rate * (1 << FRACTION)) / np.maximum(self.scale, TINY)
        self.touched = np.zeros(len(q), np.bool_)
        self.every, self.since, self.count = max(1, TOGETHER // lanes), 0, 0
        # of the step whose symbols are not known yet
        self.a: np.ndarray = np.zeros((lanes, q.shape[1]), np.int32)
        self.r = np.zeros(lanes, np.float32)
        self.drawn = np.zeros((lanes, self.draws), np.int32)
        self.columns = np.ascontiguousarray(q.T).astype(np.float32)

    def step(self, a: np.ndarray, r: np.ndarray) -> Pmf:
        """The conditionals of the first n lanes from their features a [n, D], r [n, 1]; to be learned from at the next step."""
        w = ops.exp2_weights(np, a @ self.columns * self.scale * r + self.bias)
        self._await(a, r)
        for lane, row in enumerate(w):
            self.drawn[lane, :DRAWS] = draw(row, uniform(lane, self.count))
        return ops.over_sum(np, w)

    def _await(self, a: np.ndarray, r: np.ndarray) -> None:
        self.a[: len(a)], self.r[: len(a)] = a, r.reshape(-1)

    def _learn(self, symbols: Tokens) -> None:
        n = len(symbols)
        count = np.bincount(self.drawn[:n].reshape(-1), minlength=len(self.unit))
        count += DRAWS * np.bincount(symbols, minlength=len(self.unit))
        unit = self.unit * np.minimum(np.float32(1), AT_ONCE / np.maximum(count, 1).astype(np.float32))
        taught = np.concatenate([self.drawn[:n], symbols[:, None]], 1).astype(np.int64)
        by = unit[taught] * self.r[:n, None]
        by[:, :DRAWS] *= PER_DRAW
        self._move(taught, by)

    def _move(self, rows: np.ndarray, by: np.ndarray) -> None:
        """Add by [n, M], rounded, times the features of each lane to rows [n, M]."""
        n, moves = len(rows), np.rint(np.minimum(np.maximum(by, -MAX_MOVE), MAX_MOVE)).astype(np.float64)
        distinct, place = np.unique(rows.reshape(-1), return_inverse=True)
        together = np.zeros((len(distinct), n))
        np.add.at(together, (place.reshape(-1), np.repeat(np.arange(n), rows.shape[1])), moves.reshape(-1))
        # whole numbers far below 2^53, so that float64 sums of them are exact; by way of int64, since what thousands of lanes with
        # tiny scales add up to wraps around at 2^32, as sums of int32 do
        self.master[distinct] += (together @ self.a[:n].astype(np.float64)).astype(np.int64).astype(np.int32)
        self.touched[distinct] = True

    def _round(self) -> None:
        rows = np.flatnonzero(self.touched)
        kept = np.clip(self.master[rows], LOWEST << FRACTION, HIGHEST << FRACTION)
        self.master[rows], self.touched[rows] = kept, False
        self.columns[:, rows] = ((kept + HALF) >> FRACTION).T.astype(np.float32)

    def learn(self, symbols: Tokens | None) -> None:
        """The symbols of the last step, lane by lane; now and then the weights follow."""
        if symbols is None:
            return
        self._learn(symbols)
        self.count += 1
        self.since += 1
        if self.since == self.every:
            self.since = 0
            self._round()
