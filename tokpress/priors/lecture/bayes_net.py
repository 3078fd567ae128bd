"""Bayes net: a tree over the positions of an item, learned from data, with a table for each edge.

    I(i; j) = Σ_ab c_ij(a,b)/N · ln( c_ij(a,b)·N / c_i(a)c_j(b) )         mutual information of two positions
    tree     = the spanning tree of greatest Σ I, rooted at position 0    (Chow & Liu 1968, §III)
    p(x_i = b | x_π(i) = a) = (c_π(i),i(a,b) + α) / (c_π(i)(a) + αV)      α = ½

Of all trees it has the greatest likelihood (Chow & Liu 1968, eq. 11). Positions are coded parent first, so the order is
the tree's own. Sparse conditioning is cheap and a strong assumption: the lecture's first solution, and
too weak a one for images. N items · V symbols · T positions; integer counts and one float32 division: exact.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...coding.base import Pmf
from ...errors import ModelError, TokpressError
from ...exact.orders import parse_shape
from ...exact.tensors import DOUBLED, PERMUTATION, checked, index, nothing_else
from ...tokenizers.base import Config, Tokenizer
from ...tokens import Tokens
from ...training.options import settings_of
from ..base import Prior

if TYPE_CHECKING:
    from ...training.data.streams import Source
    from ...training.options import FitOptions

#: items counted at a time
ITEMS_AT_ONCE = 4096
#: one-hot columns of an item (T·V): their pairs are counted
MAX_COLUMNS = 16384


@dataclass
class State:
    coded: np.ndarray  # [lanes, T]: the item so far, in the tree's order
    at: int = -1


class BayesNetPrior(Prior):
    name = "bayes_net"

    def __init__(self, shape: str, tensors: Mapping[str, np.ndarray], vocab_size: int) -> None:
        """tensors: `order` [T] int32, positions parent first; `parent` [T] int32, the step of each step's parent (the
        first has none); `counts` [T, V, V] int64, doubled with 1 added, by the parent's symbol and the own one."""
        self.shape_setting, self.vocab_size, self._tensors = shape, vocab_size, tensors
        if not (sides := parse_shape(shape)):
            raise ModelError("config.json: a bayes_net prior is over the positions of an item, and needs its shape")
        self.stride = math.prod(sides)
        self.order = checked(tensors, "order", (self.stride,), PERMUTATION).astype(np.int64)
        self.parent = checked(tensors, "parent", (self.stride,), index(self.stride))
        checked(tensors, "counts", (self.stride, vocab_size, vocab_size), DOUBLED)
        nothing_else(tensors, {"order", "parent", "counts"})
        if (self.parent > np.maximum(np.arange(self.stride) - 1, 0)).any():
            raise ModelError("model.safetensors: a parent comes after its child")
        self._tables = tensors["counts"].astype(np.float32) / tensors["counts"].sum(2, keepdims=True).astype(np.float32)

    def init(self, lanes: int, tokens: int) -> State:
        return State(np.zeros((lanes, self.stride), np.int32))

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        if previous is not None:
            state.coded[:rows, state.at] = previous
        state.at = (state.at + 1) % self.stride
        given = state.coded[:rows, self.parent[state.at]] if state.at else np.zeros(rows, np.int32)
        return self._tables[state.at][given]

    @classmethod
    def fit(cls, sources: "list[Source]", tokenizer: Tokenizer, config: Config, options: "FitOptions") -> Prior:
        """Settings: shape. Counts all pairs of positions; sources count by their weight, rounded."""
        from ...training.data.streams import split_items

        shape = settings_of(cls.name, config, {"shape": ""})["shape"]
        if not shape:
            raise TokpressError("the prior 'bayes_net' is over the positions of an item: say --set shape=28x28")
        size, symbols = int(np.prod(parse_shape(shape))), tokenizer.vocab_size
        if size * symbols > MAX_COLUMNS:
            raise TokpressError(
                f"{size} positions of {symbols} symbols make too many pairs; {MAX_COLUMNS:,} is the most"
            )
        pairs = np.zeros((size * symbols, size * symbols), np.float64)
        for source in sources:
            items = split_items(source, size)[0]
            for at in range(0, len(items), ITEMS_AT_ONCE):
                part = items[at : at + ITEMS_AT_ONCE]
                hot = (part[:, :, None] == np.arange(symbols)).reshape(len(part), -1).astype(np.float32)
                pairs += source.weight * (hot.T @ hot)
        counts = np.rint(pairs).astype(np.int64).reshape(size, symbols, size, symbols).transpose(0, 2, 1, 3)
        order, parent = chow_liu(mutual_information(counts))
        table = np.stack([counts[order[parent[t]], order[t]] if t else _root(counts[0, 0]) for t in range(size)])
        tensors = {"order": order.astype(np.int32), "parent": parent.astype(np.int32), "counts": 2 * table + 1}
        return cls(shape, tensors, symbols)

    def config(self) -> Config:
        return {"shape": self.shape_setting}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> "BayesNetPrior":
        return cls(settings_of(cls.name, config, {"shape": ""})["shape"], tensors, vocab_size)


def _root(own: np.ndarray) -> np.ndarray:
    """The first position's counts, as if given the symbol 0."""
    out = np.zeros_like(own)
    out[0] = np.diagonal(own)
    return out


def mutual_information(counts: np.ndarray) -> np.ndarray:
    """[T, T] nats from counts [T, T, V, V] of every pair of positions."""
    total = counts[0, 0].sum()
    own = np.diagonal(counts[np.arange(len(counts)), np.arange(len(counts))], axis1=1, axis2=2)  # [T, V]
    independent = own[:, None, :, None] * own[None, :, None, :] / max(total, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / independent), 0.0)
    return terms.sum((2, 3)) / max(total, 1)


def chow_liu(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(order [T], parent [T] as a step of that order) of the maximum spanning tree from position 0 (Prim 1957), in the
    order in which positions join it.

    >>> order, parent = chow_liu(np.array([[0, 1, 5], [1, 0, 4], [5, 4, 0.0]]))
    >>> order.tolist(), parent.tolist()
    ([0, 2, 1], [0, 0, 1])
    """
    size = len(information)
    best, joined_by, order, parent = information[0].copy(), np.zeros(size, int), [0], [0]
    best[0] = -np.inf
    for _ in range(size - 1):
        new = int(best.argmax())
        parent.append(int(joined_by[new]))
        nearer = (information[new] > best) & (best > -np.inf)
        joined_by[nearer] = len(order)
        best[nearer] = information[new][nearer]
        best[new] = -np.inf
        order.append(new)
    return np.array(order), np.array(parent)
