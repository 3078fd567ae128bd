"""The head that learns while it codes (online_head.py has the formulas and the readable form), compiled.

`OnlineHead` and `CompiledHead` do the same operations; a test compares them bit for bit. Here the draws are made where the
weights of the softmax are at hand, and what changes is written into packed weights (`exact.gemm`).
"""

import numpy as np
from numpy import int32

from ..exact import fused, gemm, jit
from . import online_head

_jit = jit.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
_uniform = _jit(online_head.uniform)
F = np.float32
ONE, AT_ONCE = F(1), online_head.AT_ONCE
DRAWS, PER_DRAW, MOST = online_head.DRAWS, online_head.PER_DRAW, online_head.MOST
FRACTION, HALF = online_head.FRACTION, online_head.HALF
LOWEST, HIGHEST = online_head.LOWEST << FRACTION, online_head.HIGHEST << FRACTION
#: weights whose sum is looked at first
BLOCK = 64


@_jit
def _draw(weights, total, u, out):
    sums = np.empty((weights.shape[0] + BLOCK - 1) // BLOCK, np.int32)
    for b in range(sums.shape[0]):
        some, s = weights[BLOCK * b : BLOCK * b + BLOCK], int32(0)
        for v in range(some.shape[0]):
            s += some[v]
        sums[b] = s
    b, before = 0, np.int64(0)
    for j in range(DRAWS):
        wanted = ((j << 16) + u) * total // (DRAWS << 16)
        while before + sums[b] <= wanted:
            before += sums[b]
            b += 1
        v = BLOCK * b
        so_far = before + weights[v]
        while so_far <= wanted:
            v += 1
            so_far += weights[v]
        out[j] = v


@_jit
def _conditionals(packed, first, scale, bias, a, r, lane, lanes, step, pmf, drawn):
    logits, weights = np.empty((a.shape[0], first.shape[0]), np.int32), np.empty(pmf.shape[1], np.int32)
    gemm.product(a, packed, first, logits)
    for n in range(pmf.shape[0]):
        row = pmf[n]
        total = fused.weigh(logits[n], scale, r[n], bias, row, weights)
        divisor = F(total)
        for v in range(row.shape[0]):
            row[v] = F(weights[v]) / divisor
        _draw(weights, total, _uniform(lane + n % lanes, step + n // lanes), drawn[n])


@_jit
def move_row(row, by, features):
    """One row += by, rounded, times one lane's features."""
    move = int32(np.rint(min(max(by, -MOST), MOST)))
    for k in range(row.shape[0]):
        row[k] = int32(row[k] + int32(move * int32(int32(features[k]) - int32(gemm.OFFSET))))


@_jit
def _learn(master, unit, a, r, drawn, symbols, touched, count):
    for i in range(symbols.shape[0]):
        count[symbols[i]] += DRAWS
        for j in range(DRAWS):
            count[drawn[i, j]] += 1
    for i in range(symbols.shape[0]):
        for j in range(DRAWS + 1):
            v = symbols[i] if j == DRAWS else drawn[i, j]
            by = (unit[v] * min(ONE, AT_ONCE / F(max(count[v], 1)))) * r[i]
            if j < DRAWS:
                by = by * PER_DRAW
            move_row(master[v], by, a[i])
            touched[v] = True
    for i in range(symbols.shape[0]):
        count[symbols[i]] = 0
        for j in range(DRAWS):
            count[drawn[i, j]] = 0


@_jit
def _round(master, touched, packed, first):
    block, rounded = packed.shape[2], np.zeros(packed.shape[1] * 4, np.int8)
    fours, packed_fours = rounded.view(np.int32), packed.view(np.int32)
    for v in range(master.shape[0]):
        if not touched[v]:
            continue
        touched[v] = False
        row, total = master[v], int32(0)
        for k in range(row.shape[0]):
            m = min(max(row[k], int32(LOWEST)), int32(HIGHEST))
            row[k] = m
            q = int32(int32(m + int32(HALF)) >> int32(FRACTION))
            rounded[k] = q
            total += q
        first[v] = int32(-gemm.OFFSET) * total
        target = packed_fours[v // block, :, v % block, 0]
        for k in range(fours.shape[0]):
            target[k] = fours[k]


class CompiledHead(online_head.OnlineHead):
    def _prepare(self, q: np.ndarray) -> None:
        self.packed, self.first = gemm.pack(q)
        self.counts = np.zeros(len(q), np.int32)
        self.a = np.zeros((len(self.r), self.packed.shape[1] * 4), np.uint8)

    def _conditionals(self, a: np.ndarray, r: np.ndarray, lane: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
        pmf, drawn = np.empty((len(a), len(self.bias)), np.float32), np.empty((len(a), DRAWS), np.int32)
        tensors = self.packed, self.first, self.scale, self.bias
        _conditionals(*tensors, a, r, lane, lanes, self.count, pmf, drawn)
        return pmf, drawn

    def _learn(self, symbols: np.ndarray) -> None:
        n, d = len(symbols), self.master.shape[1]
        _learn(self.master, self.unit, self.a[:n, :d], self.r[:n], self.drawn[:n], symbols, self.touched, self.counts)

    def _round(self) -> None:
        _round(self.master, self.touched, self.packed, self.first)
