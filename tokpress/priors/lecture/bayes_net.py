"""Bayes net: a tree over the positions of an item, learned from data, with a table for each edge.

    I(i; j) = Σ_ab c_ij(a,b)/N · ln( c_ij(a,b)·N / c_i(a)c_j(b) )         mutual information of two positions
    tree     = the spanning tree of greatest Σ I, rooted at position 0    (Chow & Liu 1968, §III)
    p(x_i = b | x_π(i) = a) = (c_π(i),i(a,b) + α) / (c_π(i)(a) + αV)      α = ½

Of all trees it has the greatest likelihood (Chow & Liu 1968, eq. 11). Positions are coded parent first, in the order of the tree. Sparse
conditioning is cheap and a strong assumption: the first solution of the lecture, and too weak for images. `training.learners.bayes_net` finds the tree. Integer counts and one float32 division: exact.
N items · V symbols · T positions.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding.base import Pmf
from ...coding.lanes import FrameRules
from ...errors import ModelError
from ...exact.orders import parse_shape
from ...exact.tensors import DOUBLED, PERMUTATION, checked, index, nothing_else
from ...storage.settings import settings_of
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import SteppedPrior


@dataclass
class State:
    coded: NDArray[np.int32]  # [lanes, T]: the item so far, in the tree's order
    at: int = -1


class BayesNetPrior(SteppedPrior):
    name = "bayes_net"
    defaults: ClassVar = {"shape": ""}

    def __init__(self, shape: str, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> None:
        """tensors: `order` [T] int32, positions parent first. `parent` [T] int32, the step of the parent of each step (unused in the first).
        `counts` [T, V, V] int64, 2c + 1, by the symbols of parent and child."""
        self.shape_setting, self.vocab_size, self._tensors = shape, vocab_size, tensors
        if not (sides := parse_shape(shape)):
            raise ModelError("config.json: a bayes_net prior needs the shape of an item")
        self.stride = math.prod(sides)
        order = checked(tensors, "order", (self.stride,), PERMUTATION).astype(np.int64)
        self.rules = FrameRules(self.stride, order)
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
        pmf: Pmf = self._tables[state.at][given]
        return pmf

    def config(self) -> Config:
        return {"shape": self.shape_setting}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "BayesNetPrior":
        return cls(settings_of(cls.name, config, cls.defaults)["shape"], tensors, vocab_size)
