"""An output layer of two levels: the group of a symbol, then the symbol within its group.

    p(v) = p(g) · p(r | g),     g = ⌊place(v) / R⌋,  r = place(v) mod R          G groups of R symbols, V = G · R
    p(g) = softmax_g(W_g f + b_g),     p(r | g) = softmax_r(W_{G + g·R + r} f + b)      f = r · a, of one network

A softmax over all symbols computes V logits to code one of them; this one G + R, since only what is in the group that was
coded matters (Goodman 2001, "Classes for fast maximum entropy training", §2; Morin & Bengio 2005, §3, go down to bits).
Which symbols stand together is learned from a corpus (`tokpress.training.nets.classes`).

`TwoLevelHead` is what a frame has of it: it gives both levels, or the probabilities of all symbols (`step`) for whoever needs
them. It goes on learning as `OnlineHead` does, whose rows are here those of groups, then those of symbols by their place: after
a symbol, the row of its group and its own are pulled towards f, and J rows drawn from each of the two conditionals are pushed away.
What was drawn and is the symbol's own is not moved both ways: of c such draws of J, the pull is (J − c) / J.
"""

from collections.abc import Mapping

import numpy as np

from ...coding.base import Pmf
from ...coding.levels import Levels
from ...exact import ops
from ...tokens import Tokens
from .online_head import AT_ONCE, DRAWS, PER_DRAW, OnlineHead, draw, uniform


class TwoLevelHead(OnlineHead):
    """The head of one frame. A learning rate of 0 leaves it as it was trained."""

    draws = 2 * DRAWS

    def __init__(self, tensors: Mapping[str, np.ndarray], rate: float, lanes: int, levels: Levels) -> None:
        self.levels, self.learns, self.whole = levels, rate > 0, False
        super().__init__(tensors, rate, lanes)

    def _of_groups(self, a: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Integer weights [n, G]."""
        g = self.levels.groups
        return ops.exp2_weights(np, a @ self.columns[:, :g] * self.scale[:g] * r + self.bias[:g])

    def _of_ranks(self, a: np.ndarray, r: np.ndarray, group: Tokens) -> np.ndarray:
        """Integer weights [n, R] within a group for each row."""
        at = self._first_rows(group)[:, None] + np.arange(self.levels.ranks)
        logits = np.einsum("nk,knr->nr", a, self.columns[:, at]) * self.scale[at] * r + self.bias[at]
        return ops.exp2_weights(np, logits)

    def groups(self, a: np.ndarray, r: np.ndarray) -> Pmf:
        """p(g) [n, G] of the first n lanes, from their features a [n, D], r [n, 1]; to be learned from at the next step."""
        w = self._of_groups(a, r)
        self._await(a, r)
        if self.learns:
            for lane, row in enumerate(w):
                self.drawn[lane, :DRAWS] = draw(row, uniform(lane, self.count))
        return ops.over_sum(np, w)

    def ranks(self, group: Tokens) -> Pmf:
        """p(r | g) [n, R] of the same lanes, now that their groups are known."""
        n = len(group)
        w = self._of_ranks(self.a[:n].astype(np.float32), self.r[:n, None], group)
        if self.learns:
            for lane, (row, start) in enumerate(zip(w, self._first_rows(group))):
                self.drawn[lane, DRAWS:] = start + draw(row, uniform(lane, self.count))
        return ops.over_sum(np, w)

    def step(self, a: np.ndarray, r: np.ndarray) -> Pmf:
        """The conditionals of all symbols [n, V]."""
        self.whole = True
        of_group, g, ranks = self.groups(a, r), self.levels.groups, self.levels.ranks
        logits = a @ self.columns[:, g:] * self.scale[g:] * r + self.bias[g:]
        inside = ops.over_sum(np, ops.exp2_weights(np, logits.reshape(len(a), g, ranks)))
        by_place = (of_group[:, :, None] * inside).reshape(len(a), g * ranks)
        return np.ascontiguousarray(by_place[:, self.levels.place])

    def _first_rows(self, group: Tokens) -> np.ndarray:
        """The row of the first symbol of each group."""
        return np.int32(self.levels.groups) + group * np.int32(self.levels.ranks)

    def _learn(self, symbols: Tokens) -> None:
        if not self.learns:
            return
        group, rank = self.levels.split(symbols)
        if self.whole:  # nobody has asked for ranks
            self.ranks(group)
        self._teach(self.drawn[: len(symbols)], np.stack([group, self._first_rows(group) + rank], 1))

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
