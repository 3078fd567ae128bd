"""The head of two levels (two_level_head.py has the formulas and the readable form), compiled. A test compares them bit for bit.

Its rows, groups before symbols, are packed as those of any product (`exact.gemm`); those of one group lie in
few vectors side by side, which are all that a rank reads.
"""

import numpy as np

from ..exact import fused, gemm, jit
from ..exact.prefetch import LINE, prefetch
from ..types import Pmf, Tokens
from .online_head import DRAWS, uniform
from .online_kernel import AT_ONCE, ONE, PER_DRAW, CompiledHead, F, _conditionals, _draw, move_row
from .two_level_head import TwoLevelHead

_jit = jit.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
_uniform = _jit(uniform)


@_jit
def _ranks(packed, first, scale, bias, a, r, group, groups, lane, step, learns, pmf, drawn):
    ranks, block = pmf.shape[1], packed.shape[2]
    logits, weights = np.empty((1, ranks + block), np.int32), np.empty(ranks, np.int32)
    for n in range(pmf.shape[0]):
        start = groups + group[n] * ranks
        skip = gemm.product_within(a[n : n + 1], packed, first, start, start + ranks, logits)
        row, mine = pmf[n], slice(start, start + ranks)
        total = fused.weigh(logits[0, skip : skip + ranks], scale[mine], r[n], bias[mine], row, weights)
        divisor = F(total)
        for v in range(ranks):
            row[v] = F(weights[v]) / divisor
        if learns:
            _draw(weights, total, _uniform(lane + n, step), drawn[n, DRAWS:])
            for j in range(DRAWS, 2 * DRAWS):
                drawn[n, j] += start


@_jit
def _all(packed, first, scale, bias, a, r, of_group, place, out):
    """p(v) of all symbols [n, V], from p(g) [n, G]."""
    groups = of_group.shape[1]
    ranks = place.shape[0] // groups
    logits, weights = np.empty((a.shape[0], first.shape[0]), np.int32), np.empty(ranks, np.int32)
    row, inside = np.empty(ranks, np.float32), np.empty(place.shape[0], np.float32)
    gemm.product(a, packed, first, logits)
    for n in range(out.shape[0]):
        for g in range(groups):
            mine = slice(groups + g * ranks, groups + (g + 1) * ranks)
            divisor = F(fused.weigh(logits[n, mine], scale[mine], r[n], bias[mine], row, weights))
            for v in range(ranks):
                inside[g * ranks + v] = of_group[n, g] * (F(weights[v]) / divisor)
        for v in range(place.shape[0]):
            out[n, v] = inside[place[v]]


@_jit
def _teach(master, unit, a, r, drawn, own, touched, count):
    for i in range(own.shape[0]):
        for j in range(2 * DRAWS):
            if drawn[i, j] != own[i, j // DRAWS]:
                count[own[i, j // DRAWS]] += 1
                count[drawn[i, j]] += 1
    width = master.shape[1] * 4
    for i in range(own.shape[0]):
        if i + 1 < own.shape[0]:
            for j in range(2 * DRAWS):
                at = drawn[i + 1, j] * width
                for line in range(0, width, LINE):
                    prefetch(master, at + line)
        for level in range(2):
            mine, pulls = own[i, level], 0
            for j in range(level * DRAWS, (level + 1) * DRAWS):
                v = drawn[i, j]
                if v != mine:
                    pulls += 1
                    by = (unit[v] * min(ONE, AT_ONCE / F(max(count[v], 1)))) * r[i]
                    move_row(master[v], by * PER_DRAW, a[i])
                    touched[v] = True
            if pulls:
                by = (unit[mine] * min(ONE, AT_ONCE / F(max(count[mine], 1)))) * r[i]
                move_row(master[mine], by * (F(pulls) * -PER_DRAW), a[i])
                touched[mine] = True
    for i in range(own.shape[0]):
        count[own[i, 0]] = 0
        count[own[i, 1]] = 0
        for j in range(2 * DRAWS):
            count[drawn[i, j]] = 0


class CompiledTwoLevelHead(CompiledHead, TwoLevelHead):
    def _prepare(self, q: np.ndarray) -> None:
        super()._prepare(q)
        g = self.levels.groups
        self.of_groups = slice(0, -(-g // self.packed.shape[2]))

    def groups(self, a: np.ndarray, r: np.ndarray, some: slice) -> Pmf:
        g, blocks = self.levels.groups, self.of_groups
        pmf = np.empty((len(a), g), np.float32)
        first = self.first[: blocks.stop * self.packed.shape[2]]
        rows = self.packed[blocks], first, self.scale[:g], self.bias[:g]
        _conditionals(*rows, a, r, some.start, len(a), self.count, pmf, self.drawn[some])
        self.a[some], self.r[some] = a, r
        return pmf

    def ranks(self, group: Tokens, some: slice) -> Pmf:
        pmf = np.empty((len(group), self.levels.ranks), np.float32)
        rows = self.packed, self.first, self.scale, self.bias, self.a[some], self.r[some]
        _ranks(*rows, group, self.levels.groups, some.start, self.count, self.learns, pmf, self.drawn[some])
        return pmf

    _learn = TwoLevelHead._learn

    def _teach(self, drawn: np.ndarray, own: np.ndarray) -> None:
        n, d = len(own), self.master.shape[1]
        _teach(self.master, self.unit, self.a[:n, :d], self.r[:n], drawn, own, self.touched, self.counts)

    def step(self, a: np.ndarray, r: np.ndarray, some: slice) -> Pmf:
        self.whole = True
        out = np.empty((len(a), len(self.levels.place)), np.float32)
        rows = self.packed, self.first, self.scale, self.bias
        _all(*rows, a, r, self.groups(a, r, some), self.levels.place, out)
        return out
