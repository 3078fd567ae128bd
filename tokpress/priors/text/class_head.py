"""Class-factored softmax: the class of a symbol, then the member of that class.

    p(v) = p(c) · p(m | c),     c = ⌊place(v) / M⌋,  m = place(v) mod M          C classes of M members, V = C · M
    p(c) = softmax_c(W_c f + b_c),     p(m | c) = softmax_m(W_{C + c·M + m} f + b)      f = r · a, of one network

A softmax over all symbols computes V logits to code one of them. This one computes C + M, since it needs the members of one class
only (Goodman 2001, "Classes for fast maximum entropy training", §2; Morin & Bengio 2005, §3, go down to bits).
The classes are learned from a corpus (`tokpress.training.nets.classes`).

`ClassFactoredHead` is the head of one frame. It gives both conditionals, or the probabilities of all symbols (`step`). It learns
as `OnlineHead` does. It has a row for each class, then a row for each symbol, by place. After a symbol, its two rows (class and
symbol) are pulled towards f, and J rows drawn from each of the two conditionals are pushed away. A drawn row that is one of the two is not
pushed; with n such draws of J, its pull is (J − n) / J.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...coding.classes import SymbolClasses
from ...exact import ops
from ...tokens import Tokens
from .online_head import DRAWS, MAX_TAUGHT, PER_DRAW, Features, OnlineHead, Weights, draw, uniform


class ClassFactoredHead(OnlineHead):
    """The head of one frame. With a learning rate of 0 it does not learn."""

    draws = 2 * DRAWS

    def __init__(self, tensors: Mapping[str, NDArray[Any]], rate: float, lanes: int, classes: SymbolClasses) -> None:
        self.classes, self.learns, self.steps_all_symbols = classes, rate > 0, False
        super().__init__(tensors, rate, lanes)

    def _class_weights(self, a: Features, r: Features) -> Weights:
        """Integer weights [n, C]."""
        c = self.classes.classes
        weights: Weights = ops.exp2_weights(np, a @ self.columns[:, :c] * self.scale[:c] * r + self.bias[:c])
        return weights

    def _member_weights(self, a: Features, r: Features, of_class: Tokens) -> Weights:
        """Integer weights [n, M] of the members of each row's class."""
        at = self._first_rows(of_class)[:, None] + np.arange(self.classes.members)
        logits = np.einsum("nk,knr->nr", a, self.columns[:, at]) * self.scale[at] * r + self.bias[at]
        weights: Weights = ops.exp2_weights(np, logits)
        return weights

    def class_pmf(self, a: Features, r: Features) -> Pmf:
        """p(c) [n, C] of the first n lanes, from their features a [n, D], r [n, 1], which `learn` uses in the next step."""
        w = self._class_weights(a, r)
        self._keep(a, r)
        if self.learns:
            for lane, row in enumerate(w):
                self.drawn[lane, :DRAWS] = draw(row, uniform(lane, self.count))
        pmf: Pmf = ops.over_sum(np, w)
        return pmf

    def member_pmf(self, of_class: Tokens) -> Pmf:
        """p(m | c) [n, M] of the same lanes, given their classes [n]."""
        n = len(of_class)
        w = self._member_weights(self.a[:n].astype(np.float32), self.r[:n, None], of_class)
        if self.learns:
            for lane, (row, start) in enumerate(zip(w, self._first_rows(of_class))):
                self.drawn[lane, DRAWS:] = start + draw(row, uniform(lane, self.count))
        pmf: Pmf = ops.over_sum(np, w)
        return pmf

    def step(self, a: Features, r: Features) -> Pmf:
        """The conditionals of all symbols [n, V]."""
        self.steps_all_symbols = True
        class_pmf, c, m = self.class_pmf(a, r), self.classes.classes, self.classes.members
        logits = a @ self.columns[:, c:] * self.scale[c:] * r + self.bias[c:]
        member_pmf = ops.over_sum(np, ops.exp2_weights(np, logits.reshape(len(a), c, m)))
        by_place = (class_pmf[:, :, None] * member_pmf).reshape(len(a), c * m)
        return np.ascontiguousarray(by_place[:, self.classes.place])

    def _first_rows(self, of_class: Tokens) -> NDArray[np.int32]:
        """The row of the first member of each class."""
        return np.int32(self.classes.classes) + of_class * np.int32(self.classes.members)

    def _learn(self, symbols: Tokens) -> None:
        if not self.learns:
            return
        of_class, member = self.classes.split(symbols)
        if self.steps_all_symbols:  # no members of the class are drawn yet
            self.member_pmf(of_class)
        self._teach(self.drawn[: len(symbols)], np.stack([of_class, self._first_rows(of_class) + member], 1))

    def _teach(self, drawn: NDArray[np.int32], coded: NDArray[np.int32]) -> None:
        """Pull the rows of the coded symbols, coded [n, 2], towards the features of each lane, and push the drawn rows [n, 2 · J] away."""
        drawn = drawn.reshape(-1, 2, DRAWS).astype(np.int64)
        same = drawn == coded[:, :, None]
        pulls, pushes = DRAWS - same.sum(2), (~same).astype(np.int64)
        count = np.zeros(len(self.unit), np.int64)
        np.add.at(count, coded, pulls)
        np.add.at(count, drawn, pushes)
        unit = self.unit * np.minimum(np.float32(1), MAX_TAUGHT / np.maximum(count, 1).astype(np.float32))
        r = self.r[: len(coded), None]
        pull = (unit[coded] * r) * (pulls.astype(np.float32) * -PER_DRAW)
        push = (unit[drawn] * r[:, :, None]) * (pushes.astype(np.float32) * PER_DRAW)
        self._move(
            np.concatenate([coded, drawn.reshape(len(coded), -1)], 1),
            np.concatenate([pull, push.reshape(len(coded), -1)], 1),
        )
