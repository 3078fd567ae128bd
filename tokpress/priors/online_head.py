"""An output layer that goes on learning while it codes: dynamic evaluation of the last matrix.

    logits_v = s_v · (q_v · f) + b_v,   f = r · a,   q = round(M)            M starts as the trained weights
    after each symbol y:   M_y += η · f / s_y,     M_v −= η / J · f / s_v   for J symbols v drawn from p

The gradient of −ln p(y) in the row of v is (p(v) − [v = y]) · f. Its dense part, one row for each symbol there is, has the
same mean as J rows drawn from p; drawn by systematic resampling, v_j = min {v : Σ_{w ≤ v} p(w) > (j + u) / J}, each comes up
as often as it should to within one. Krause et al. 2018, "Dynamic evaluation of neural sequence models", §3; Kitagawa 1996,
"Monte Carlo filter and smoother", §A.2 (the draw). The other layers stay as they are, so there is nothing to propagate.

A row that comes up more than eight times in one step, in lanes that may be alike, is moved as if it had been eight times.
M holds integers, 2^-16 of a weight each, and learns in integers, whose sums do not depend on their order. All lanes share it:
after a step, both sides know the symbols of every lane. The weights that products use, q, are rounded anew after every
`TOGETHER` symbols. Symbols: V symbols, D features, n lanes, J draws.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from ..exact import ops
from ..types import Pmf, Tokens

DRAWS = 8
#: symbols after which the weights are rounded anew, where lanes are few
TOGETHER = 16
FRACTION = 16
HALF = 1 << (FRACTION - 1)
LOWEST, HIGHEST = -64, 63
#: of a weight, in 2^-16, that one symbol may move it for each unit of an activation
MOST = np.float32(2047)
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
    """The head of one frame, in numpy; `online_kernel.CompiledHead` is the compiled one."""

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
        self._prepare(q)

    def _prepare(self, q: np.ndarray) -> None:
        self.columns = np.ascontiguousarray(q.T).astype(np.float32)

    def _conditionals(self, a: np.ndarray, r: np.ndarray, lane: int, lanes: int) -> tuple[Pmf, np.ndarray]:
        """(pmf [T · n, V], symbols drawn from each [T · n, J]) of T steps of `lanes` lanes, from `lane` and this step on."""
        w = ops.exp2_weights(np, a @ self.columns * self.scale * r + self.bias)
        at = [(lane + k % lanes, self.count + k // lanes) for k in range(len(a))]
        drawn = np.zeros((len(a), DRAWS), np.int64)
        for row, each, out in zip(w, at, drawn):
            out[:] = draw(row, uniform(*each))
        return ops.over_sum(np, w), drawn

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
        n, moves = len(rows), np.rint(np.minimum(np.maximum(by, -MOST), MOST)).astype(np.float64)
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

    def _await(self, a: np.ndarray, r: np.ndarray, drawn: np.ndarray, some: slice) -> None:
        self.a[some], self.r[some], self.drawn[some] = a, r.reshape(-1), drawn

    def step(self, a: np.ndarray, r: np.ndarray, some: slice) -> Pmf:
        """The conditionals of some lanes from their features a [n, D], r [n, 1]; to be learned from at the next step."""
        pmf, drawn = self._conditionals(a, r, some.start, len(a))
        self._await(a, r, drawn, some)
        return pmf

    def steps(
        self, a: np.ndarray, r: np.ndarray, lanes: int, previous: Tokens | None, symbols: Tokens
    ) -> Iterator[Pmf]:
        """Several steps whose symbols [n, T] are known, `previous` before them, from a [T · n, D]: blocks [t, n, V]."""
        t, steps = 0, symbols.shape[1]
        while t < steps:
            self.learn(previous if t == 0 else symbols[:, t - 1])
            count = min(self.every - self.since, steps - t)  # no weight changes within them
            part = slice(t * lanes, (t + count) * lanes)
            pmf, drawn = self._conditionals(a[part], r[part], 0, lanes)
            for i in range(count):
                if i:
                    self.learn(symbols[:, t + i - 1])
                mine, one = slice(i * lanes, (i + 1) * lanes), slice((t + i) * lanes, (t + i + 1) * lanes)
                self._await(a[one], r[one], drawn[mine], slice(0, lanes))
            yield pmf.reshape(count, lanes, -1)
            t += count
