"""An output layer that goes on learning while it codes: dynamic evaluation of the last matrix.

    logits_v = s_v · (q_v · f) + b_v,   f = r · a,   q = round(M)            M starts as the trained weights
    after each symbol y:   M_y += η · f / s_y,     M_v −= η / J · f / s_v   for J symbols v drawn from p

The gradient of −ln p(y) in the row of v is (p(v) − [v = y]) · f. Its dense part, one row for each symbol there is, has the
same mean as J rows drawn from p; drawn by systematic resampling, v_j = min {v : Σ_{w ≤ v} p(w) > (j + u) / J}, each comes up
as often as it should to within one. Krause et al. 2018, "Dynamic evaluation of neural sequence models", §3; Kitagawa 1996,
"Monte Carlo filter and smoother", §A.2 (the draw). The other layers stay as they are, so there is nothing to propagate.

M holds integers, 2^-16 of a weight each, and learns in integers, whose sums do not depend on their order. All lanes share it:
after a step, both sides know the symbols of every lane. The weights that products use, q, are rounded anew after every
`TOGETHER` symbols. Symbols: V symbols, D features, n lanes, J draws.
"""

from collections.abc import Iterator
from typing import Any

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
#: probabilities as integers, to add them up
UNIT = np.float32(1 << 24)


def uniform(lane: int, step: int) -> int:
    """u · 2^16: the same on both sides, and for nothing else than to be another one each time."""
    x = (lane * 0x3C6EF372 + step * 0x2545F491 + 0x1B873593) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return (x ^ (x >> 12)) & 0xFFFF


def draw(pmf: Pmf, step: int, first: int, out: np.ndarray) -> None:
    """DRAWS symbols [n, J] of each pmf [n, V]: of lanes `first` and on, in this step."""
    for i in range(len(pmf)):
        u = uniform(first + i, step)
        cumulative = np.cumsum((pmf[i] * UNIT).astype(np.int64))
        total = cumulative[-1]
        for j in range(DRAWS):
            out[i, j] = np.searchsorted(cumulative, ((j << 16) + u) * total // (DRAWS << 16), side="right")


def learn(
    master: np.ndarray,
    unit: np.ndarray,
    a: np.ndarray,
    r: np.ndarray,
    drawn: np.ndarray,
    symbols: Tokens,
    touched: np.ndarray,
) -> None:
    """master [V, D] int32 after symbols [n], from a [n, D] int32, r [n], drawn [n, J] and unit [V] = η · 2^16 / s."""
    for i in range(len(symbols)):
        for j in range(DRAWS + 1):
            v = symbols[i] if j == DRAWS else drawn[i, j]
            by = unit[v] * r[i]
            if j < DRAWS:
                by = by * PER_DRAW
            move = np.int32(np.rint(min(max(by, -MOST), MOST)))
            master[v] += move * a[i]
            touched[v] = True


class OnlineHead:
    """The head of one frame. `columns` are its weights for numpy's products; a compiled one has packed ones instead."""

    def __init__(self, tensors: dict[str, np.ndarray], rate: float, lanes: int) -> None:
        q = tensors["head.weight"]
        self.scale, self.bias = tensors["head.scale"], tensors["bias"]
        self.master = q.astype(np.int32) << FRACTION
        tiny = np.float32(2.0**-40)
        self.unit = np.float32(rate * (1 << FRACTION)) / np.maximum(self.scale, tiny)
        self.touched = np.zeros(len(q), np.bool_)
        self.every, self.since, self.count = max(1, TOGETHER // lanes), 0, 0
        # of the steps whose symbols are not known yet
        self.a = np.zeros((lanes, q.shape[1]), np.int32)
        self.r = np.zeros(lanes, np.float32)
        self.drawn = np.zeros((lanes, DRAWS), np.int32)
        self._prepare(q)

    def _prepare(self, q: np.ndarray) -> None:
        self.columns = np.ascontiguousarray(q.T).astype(np.float32)

    def _learn(self, a: np.ndarray, r: np.ndarray, drawn: np.ndarray, symbols: Tokens) -> None:
        learn(self.master, self.unit, a, r, drawn, symbols, self.touched)

    def _store(self, rows: np.ndarray, q: np.ndarray) -> None:
        self.columns[:, rows] = q.T.astype(np.float32)

    def _pmf(self, a: Any, r: np.ndarray) -> Pmf:
        return ops.softmax(np, a @ self.columns, self.scale, r, self.bias)

    def _draw(self, pmf: Pmf, first: int, out: np.ndarray) -> None:
        draw(pmf, self.count, first, out)

    def _integers(self, a: Any) -> np.ndarray:
        return a.astype(np.int32)

    def learn(self, symbols: Tokens | None) -> None:
        """The symbols of the last step, lane by lane; now and then the weights follow."""
        if symbols is None:
            return
        n = len(symbols)
        self._learn(self.a[:n], self.r[:n], self.drawn[:n], symbols)
        self.count += 1
        self.since += 1
        if self.since == self.every:
            self.since = 0
            rows = np.flatnonzero(self.touched)
            kept = np.clip(self.master[rows], LOWEST << FRACTION, HIGHEST << FRACTION)
            self.master[rows] = kept
            self._store(rows, (kept + HALF) >> FRACTION)
            self.touched[rows] = False

    def step(self, a: Any, r: np.ndarray, some: slice) -> Pmf:
        """The conditionals of some lanes from their features a [n, D], r [n, 1]; to be learned from at the next step."""
        pmf = self._pmf(a, r)
        self.a[some], self.r[some] = self._integers(a), r.reshape(-1)
        self._draw(pmf, some.start, self.drawn[some])
        return pmf

    def steps(self, a: Any, r: np.ndarray, lanes: int, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """Several steps whose symbols [n, T] are known, `previous` before them, from a [T · n, D]: blocks [t, n, V]."""
        t, steps = 0, symbols.shape[1]
        while t < steps:
            self.learn(previous if t == 0 else symbols[:, t - 1])
            count = min(self.every - self.since, steps - t)  # no weight changes within them
            part = slice(t * lanes, (t + count) * lanes)
            pmf = self._pmf(a[part], r[part])
            for i in range(count):
                one = slice((t + i) * lanes, (t + i + 1) * lanes)
                if i:
                    self.learn(symbols[:, t + i - 1])
                self.a[:lanes], self.r[:lanes] = self._integers(a[one]), r[one].reshape(-1)
                self._draw(pmf[i * lanes : (i + 1) * lanes], 0, self.drawn[:lanes])
            yield pmf.reshape(count, lanes, -1)
            t += count
