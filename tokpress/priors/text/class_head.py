"""Class-factored softmax: the class of a symbol, then the member of that class.

    p(v) = p(c) · p(m | c),     c = ⌊place(v) / M⌋,  m = place(v) mod M          C classes of M members, V = C · M
    p(c) = softmax_c(W_c f + b_c),     p(m | c) = softmax_m(W_{C + c·M + m} f + b)      f = r · a, of one network

A softmax over all symbols computes V logits to code one of them. This one computes C + M, since the members of other classes do not
matter (Goodman 2001, "Classes for fast maximum entropy training", §2; Morin & Bengio 2005, §3, go down to bits).
Which symbols share a class is learned from a corpus (`tokpress.training.nets.classes`).

`ClassFactoredHead` is the head of one frame. It gives both conditionals, or the probabilities of all symbols (`step`). It goes on
learning as `OnlineHead` does. Its rows are those of classes, then those of symbols by their place: after a symbol, the row of its
class and its own are pulled towards f, and J rows drawn from each of the two conditionals are pushed away. A drawn row that is the
symbol's own is not pushed; with n such draws of J, its pull is (J − n) / J.
"""

from collections.abc import Mapping

import numpy as np

from ...coding.base import Pmf
from ...coding.classes import SymbolClasses
from ...exact import ops
from ...tokens import Tokens
from .online_head import AT_ONCE, DRAWS, PER_DRAW, OnlineHead, draw, uniform


class ClassFactoredHead(OnlineHead):
    """The head of one frame. A learning rate of 0 leaves it as it was trained."""

    draws = 2 * DRAWS

    def __init__(self, tensors: Mapping[str, np.ndarray], rate: float, lanes: int, classes: SymbolClasses) -> None:
        self.classes, self.learns, self.all_at_once = classes, rate > 0, False
        super().__init__(tensors, rate, lanes)

    def _class_weights(self, a: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Integer weights [n, C]."""
        c = self.classes.classes
        return ops.exp2_weights(np, a @ self.columns[:, :c] * self.scale[:c] * r + self.bias[:c])

    def _member_weights(self, a: np.ndarray, r: np.ndarray, of_class: Tokens) -> np.ndarray:
        """Integer weights [n, M] of the members of each row's class."""
        at = self._first_rows(of_class)[:, None] + np.arange(self.classes.members)
        logits = np.einsum("nk,knr->nr", a, self.columns[:, at]) * self.scale[at] * r + self.bias[at]
        return ops.exp2_weights(np, logits)

    def class_pmf(self, a: np.ndarray, r: np.ndarray) -> Pmf:
        """p(c) [n, C] of the first n lanes, from their features a [n, D], r [n, 1], which `learn` uses at the next step."""
        w = self._class_weights(a, r)
        self._await(a, r)
        if self.learns:
            for lane, row in enumerate(w):
                self.drawn[lane, :DRAWS] = draw(row, uniform(lane, self.count))
        return ops.over_sum(np, w)

    def member_pmf(self, of_class: Tokens) -> Pmf:
        """p(m | c) [n, M] of the same lanes, whose classes [n] are known now."""
        n = len(of_class)
        w = self._member_weights(self.a[:n].astype(np.float32), self.r[:n, None], of_class)
        if self.learns:
            for lane, (row, start) in enumerate(zip(w, self._first_rows(of_class))):
                self.drawn[lane, DRAWS:] = start + draw(row, uniform(lane, self.count))
        return ops.over_sum(np, w)

    def step(self, a: np.ndarray, r: np.ndarray) -> Pmf:
        """The conditionals of all symbols [n, V]."""
        self.all_at_once = True
        class_pmf, c, m = self.class_pmf(a, r), self.classes.classes, self.classes.members
        logits = a @ self.columns[:, c:] * self.scale[c:] * r + self.bias[c:]
        member_pmf = ops.over_sum(np, ops.exp2_weights(np, logits.reshape(len(a), c, m)))
        by_place = (class_pmf[:, :, None] * member_pmf).reshape(len(a), c * m)
        return np.ascontiguousarray(by_place[:, self.classes.place])

    def _first_rows(self, of_class: Tokens) -> np.ndarray:
        """The row of the first member of each class."""
        return np.int32(self.classes.classes) + of_class * np.int32(self.classes.members)

    def _learn(self, symbols: Tokens) -> None:
        if not self.learns:
            return
        of_class, member = self.classes.split(symbols)
        if self.all_at_once:  # the members of the class have not been drawn yet
            self.member_pmf(of_class)
        self._teach(self.drawn[: len(symbols)], np.stack([of_class, self._first_rows(of_class) + member], 1))

    def _teach(self, drawn: np.ndarray, own: np.ndarray) -> None:
        """Pull the rows own [n, 2] towards the features of each lane, push those drawn [n, 2 · J] away."""
        drawn = drawn.reshape(-1, 2, DRAWS).astype(np.int64)
        same = drawn == own[:, :, None]
        pulls, pushes = DRAWS - same.sum(2), (~same).astype(np.int64)
        count = np.zeros(len(self.unit), np.int64)
        np.add.at(count, own, pulls)
        np.add.at(count, drawn, pushes)
        unit = self.unit * np.minimum(np.float32(1), AT_ONCE / np.maximum(count, 1).astype(np.float32))
        r = self.r[: len(own), None]
        pull = (unit[own] * r) * (pulls.astype(np.float32) * -PER_DRAW)
        push = (unit[drawn] * r[:, :, None]) * (pushes.astype(np.float32) * PER_DRAW)
        self._move(
            np.concatenate([own, drawn.reshape(len(own), -1)], 1), np.concatenate([pull, push.reshape(len(own), -1)], 1)
        )
