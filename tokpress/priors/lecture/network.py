"""The base of network priors: a network is written once, for training and for coding.

A prior of this kind is one function,

    def network(self, m: NetworkOps, tokens: Values) -> Values: …; return m.predict("head", x, self.vocab_size)

in the operations of `exact.network_ops.NetworkOps`. `exact.arithmetic.Exact` computes them exactly, one step at a time;
`training.nets.arithmetic.Trained` computes all steps at once, with gradients. `tokens` are the symbols of the step before.
This file has the rest: settings, items and their order, stepping in lanes, weights to and from a model directory, training.

Settings of every such prior: `shape` of an item ("28x28", "32x32x3", or empty for endless sequences) and the
`order` in which an item's symbols are coded (`tokpress.exact.orders`). A prior of p(y | x) has a setting `given`, the shape of
the x that belongs to each item (`Frame.given`).
"""

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding import Frame
from ...coding.base import Pmf
from ...coding.lanes import FrameRules, Layout
from ...errors import TokpressError
from ...exact.arithmetic import Exact
from ...exact.kernels import make_kernel
from ...exact.network_ops import NetworkOps, Values
from ...exact.orders import make_order, parse_shape
from ...exact.parallel import ParallelExact
from ...exact.threads import processors, share_rows
from ...exact.weights import Weights
from ...native import library
from ...storage.settings import settings_of
from ...tokenizers.base import Config
from ...tokens import TokenBuffer, Tokens, as_array
from ..base import SteppedPrior

#: the symbol before the first token of a lane
BEGIN = 0
#: maximum features of an attention head: products of 8-bit keys and queries must stay below 2^24
WIDEST_HEAD = 1024
#: minimum number of lanes for two threads to share a step
SHARE_FROM = 32
#: maximum number of probabilities [T, n, V] of items computed at once
MAX_PARALLEL_PMF = 1 << 25
#: steps [n·T] computed at once
PARALLEL_ROWS = 1 << 14
#: maximum steps of an item computed at once: its features are all in memory
MAX_PARALLEL_ITEM = 1 << 15


@dataclass
class State:
    """shares: lanes of each thread, with an exact arithmetic. first: number of the first item of each lane."""

    shares: list[tuple[slice, Exact]]
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


class NetworkPrior(SteppedPrior):
    """Final but for `name`, `defaults` and `network`."""

    #: settings of every network and their defaults
    item_settings: ClassVar[Config] = {"shape": "", "order": "raster"}
    #: settings and their defaults, beside those
    defaults: ClassVar[Config]
    #: maximum number of lanes of a frame
    max_lanes: ClassVar[int] = 512

    def __init__(self, settings: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> None:
        self.settings = settings_of(self.name, settings, {**self.item_settings, **self.defaults})
        heads, width = self.settings.get("heads", 1), self.settings.get("width", 1)
        if width % heads or width // heads > WIDEST_HEAD:
            raise TokpressError(f"width={width} should be a multiple of heads={heads}, of at most {WIDEST_HEAD} each")
        self.vocab_size = vocab_size
        self.shape = parse_shape(self.settings["shape"])
        self.order = make_order(self.settings["order"], self.shape) if self.shape else None
        self.stride = len(self.order) if self.order is not None else 1
        self.given_shape = parse_shape(str(self.settings.get("given", "")))
        if self.given_shape and not self.shape:
            raise TokpressError("given items need items: give the prior a shape too")
        self.given_size = math.prod(self.given_shape) if self.given_shape else 0
        self.rules = FrameRules(self.stride, self.order, max_lanes=self.max_lanes, given_size=self.given_size)
        self._given: Tokens | None = None
        self._tensors, self._weights = tensors, Weights(tensors)
        #: weights by kernel, shared with copies of this prior
        self._weights_by_kernel = {"numpy": self._weights}

    @abstractmethod
    def network(self, m: NetworkOps, tokens: Values) -> Values:
        """The conditional of the next symbol, from the symbols before it, by methods of `m`."""

    # --- coding ----------------------------------------------------------------------------------

    def with_given(self, given: TokenBuffer) -> "NetworkPrior":
        """This prior of p(y | x), with one x of `given_shape` for each item, in order. A header before the first x is skipped."""
        bound = copy.copy(self)
        bound._given = as_array(given)[len(given) % self.given_size :].reshape(-1, self.given_size)
        return bound

    def for_frame(self, frame: Frame) -> "NetworkPrior":
        kernel = frame.kernel
        if kernel == "auto":
            kernel = "native" if library.is_here() else "numpy"
        if kernel == "float":
            kernel = "numpy"  # also float carriers
        bound = copy.copy(self) if frame.given is None else self.with_given(frame.given)
        bound._weights = self._weights_by_kernel.get(kernel) or self._weights_by_kernel.setdefault(
            kernel, Weights(self._tensors, make_kernel(kernel))
        )
        return bound

    def init(self, lanes: int, tokens: int) -> State:
        half = lanes // 2
        shared = lanes >= SHARE_FROM and processors() > 1
        parts = [slice(0, half), slice(half, lanes)] if shared else [slice(0, lanes)]
        state = State([(part, Exact(self._weights, self.shape, self.order, part.stop - part.start)) for part in parts])
        if self.given_size:
            if self._given is None:
                raise TokpressError("this model predicts one file from another: name the other one with --given FILE")
            complete = tokens // self.stride
            if len(self._given) != complete:
                raise TokpressError(f"{len(self._given):,} given items for {complete:,} items: give one for each item")
            items = Layout.divide(tokens, lanes, self.stride).steps // self.stride
            state.first = np.arange(lanes) * items
        return state

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        def step_share(part: slice, exact: Exact) -> Pmf:
            n = min(part.stop, rows) - part.start
            exact.begin_step(n)
            if exact.at == 0 and self._given is not None:
                exact.give(self._given_items(state.first[part] + exact.items))
            tokens = np.full(n, BEGIN) if previous is None or exact.at == 0 else previous[part]
            with np.errstate(all="ignore"):  # `exact` raises where a number is not finite
                pmf: Pmf = self.network(exact, tokens)
                return pmf

        if len(state.shares) == 1:
            return np.ascontiguousarray(step_share(*state.shares[0]))
        # the "rows" that share_rows divides are the numbers of the shares
        halves = share_rows(lambda numbers: [step_share(*share) for share in state.shares[numbers]], 2)
        return np.concatenate([pmf for half in halves for pmf in half])

    def step_block(self, state: State, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """Complete items are computed at once (`exact.parallel`), the other symbols step by step."""
        rows, steps = symbols.shape
        at = 0
        while at < steps:
            item = symbols[:, at : at + self.stride]
            begins = state.shares[0][1].at in (-1, self.stride - 1)
            if begins and self.order is not None and item.shape[1] == self.stride and self._fits(rows):
                yield self._item(state, item)
                at += self.stride
            else:
                yield self.step(state, previous, rows)[None]
                at += 1
            previous = symbols[:, at - 1].copy()

    def _fits(self, rows: int) -> bool:
        return 1 < self.stride <= MAX_PARALLEL_ITEM and rows * self.stride * self.vocab_size <= MAX_PARALLEL_PMF

    def _item(self, state: State, symbols: Tokens) -> Pmf:
        """[T, n, V]: all conditionals of the next item of each lane. Leaves the same state as T steps."""
        rows, size = symbols.shape
        before = np.concatenate([np.full((rows, 1), BEGIN, symbols.dtype), symbols[:, :-1]], 1)
        out = np.empty((size, rows, self.vocab_size), np.float32)

        def compute(lanes: slice) -> None:
            for at in range(lanes.start, lanes.stop, part_lanes):
                part = slice(at, min(at + part_lanes, lanes.stop))
                parallel = ParallelExact(self._weights, self.shape, self.order, part.stop - part.start)
                if given is not None:
                    parallel.give(given[part])
                with np.errstate(all="ignore"):
                    pmf = self.network(parallel, before[part].reshape(-1))
                out[:, part] = pmf.reshape(part.stop - part.start, size, -1).swapaxes(0, 1)

        given = self._items_given(state, rows)
        part_lanes = max(1, PARALLEL_ROWS // size)
        share_rows(compute, rows)
        for _, exact in state.shares:
            exact.end_item()
        return out

    def _items_given(self, state: State, rows: int) -> Tokens | None:
        """The given item for the next item of each lane."""
        if self._given is None:
            return None
        exact = state.shares[0][1]
        return self._given_items(state.first[:rows] + exact.items + (exact.at == self.stride - 1))

    def _given_items(self, items: NDArray[np.int64]) -> Tokens:
        """The given items of these numbers. For the incomplete item at the end, which has none, it is the last one."""
        assert self._given is not None
        given = self._given if len(self._given) else np.zeros((1, self.given_size), np.int32)
        chosen: Tokens = given[np.minimum(items, len(given) - 1)]
        return chosen

    # --- on disk ---------------------------------------------------------------------------------

    def config(self) -> Config:
        return dict(self.settings)

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "NetworkPrior":
        """Raises ModelError where a tensor is missing or has another shape."""
        prior = cls(config, tensors, vocab_size)
        probe = prior.with_given(np.zeros(prior.given_size, np.int32)) if prior.given_size else prior
        probe.step(probe.init(1, prior.stride), None, 1)  # reads every tensor
        prior._weights.nothing_else()
        return prior
