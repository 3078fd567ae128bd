"""The base of the lecture's network priors: a network is written once, and both trains and codes.

A prior of this kind is one function,

    def network(self, m: NetworkOps, tokens: Values) -> Values: …; return m.predict("head", x, self.vocab_size)

in the operations of `exact.network_ops.NetworkOps`. `exact.arithmetic.Exact` computes them exactly, one step at a time;
`training.nets.arithmetic.Trained` computes all steps at once, with gradients. `tokens` are the symbols of the step before.
Everything else is here: settings, items and their order, stepping in lanes, weights to and from a model directory, training.

Settings of every such prior: `shape` of an item ("28x28", "32x32x3", or empty for endless sequences) and the
`order` in which an item's symbols are coded (`tokpress.exact.orders`). A prior of p(y | x) has a setting `given`, the shape of
the x that belongs to each item (`Frame.given`).
"""

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

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

#: what a lane has "seen" before its first token
BEGIN = 0
#: features of an attention head: products of 8-bit keys and queries must stay below 2^24
WIDEST_HEAD = 1024
#: lanes from which two threads share a step
SHARE_FROM = 32
#: probabilities [T, n, V] of known items that are held at once
MAX_PARALLEL_PMF = 1 << 25
#: steps [n·T] that are computed at once
PARALLEL_ROWS = 1 << 14
#: steps of an item that is computed at once, whose features are all held then
MAX_PARALLEL_ITEM = 1 << 15


@dataclass
class State:
    """One exact arithmetic for each thread's share of the lanes."""

    shares: list[tuple[slice, Exact]]
    first: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


class NetworkPrior(SteppedPrior):
    """Final but for `name`, `defaults` and `network`."""

    #: settings and their first values; `shape` and `order` are in all of them
    defaults: ClassVar[Config]
    #: most lanes of a frame
    max_lanes: ClassVar[int] = 512

    def __init__(self, settings: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> None:
        self.settings = settings_of(self.name, settings, {"shape": "", "order": "raster", **self.defaults})
        heads, width = self.settings.get("heads", 1), self.settings.get("width", 1)
        if width % heads or width // heads > WIDEST_HEAD:
            raise TokpressError(f"width={width} should be a multiple of heads={heads}, of at most {WIDEST_HEAD} each")
        self.vocab_size = vocab_size
        self.shape = parse_shape(self.settings["shape"])
        self.order = make_order(self.settings["order"], self.shape) if self.shape else None
        self.stride = len(self.order) if self.order is not None else 1
        self.given_shape = parse_shape(str(self.settings.get("given", "")))
        if self.given_shape and not self.shape:
            raise TokpressError("what is given belongs to items; give the prior a shape too")
        self.given_size = math.prod(self.given_shape) if self.given_shape else 0
        self.rules = FrameRules(self.stride, self.order, max_lanes=self.max_lanes, given_size=self.given_size)
        self._given: np.ndarray | None = None
        self._tensors, self._weights = tensors, Weights(tensors)
        #: the weights made so far, by their kernel; copies of this prior share them
        self._made = {"numpy": self._weights}

    @abstractmethod
    def network(self, m: NetworkOps, tokens: Values) -> Values:
        """The next symbol's conditional from the symbols before it, in the methods of `m`."""

    # --- coding ----------------------------------------------------------------------------------

    def with_given(self, given: TokenBuffer) -> "NetworkPrior":
        """This prior of p(y | x), with one x of `given_shape` for each item, in their order; a header before the first is
        passed over."""
        bound = copy.copy(self)
        bound._given = as_array(given)[len(given) % self.given_size :].reshape(-1, self.given_size)
        return bound

    def for_frame(self, frame: Frame) -> "NetworkPrior":
        kernel = frame.kernel
        if kernel == "auto":
            kernel = "native" if library.is_here() else "numpy"
        if kernel == "float":
            kernel = "numpy"  # the same carriers; these networks step in numpy
        bound = copy.copy(self) if frame.given is None else self.with_given(frame.given)
        bound._weights = self._made.get(kernel) or self._made.setdefault(
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
                raise TokpressError("this model predicts one file from another; name that one with --given FILE")
            whole = tokens // self.stride
            if len(self._given) != whole:
                raise TokpressError(f"{len(self._given):,} given items for {whole:,} items; there must be one for each")
            # a lane's first item; of the incomplete one at the end, which has nothing given, the last one serves
            items = Layout.divide(tokens, lanes, self.stride).steps // self.stride
            state.first = np.arange(lanes) * items
        return state

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        def work(part: slice, exact: Exact) -> Pmf:
            n = min(part.stop, rows) - part.start
            exact.begin_step(n)
            if exact.at == 0 and self._given is not None:
                exact.give(self._given_of(state.first[part] + exact.items))
            new = previous is None or exact.at == 0
            with np.errstate(all="ignore"):  # what is not finite is an error of ours
                return self.network(exact, np.full(n, BEGIN) if new else previous[part])  # type: ignore[index]

        if len(state.shares) == 1:
            return np.ascontiguousarray(work(*state.shares[0]))
        # two lanes stand for two halves: share_rows hands out their numbers
        both = share_rows(lambda some: [work(*state.shares[i]) for i in range(some.start, some.stop)], 2)
        return np.concatenate([pmf for half in both for pmf in half])

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
        """[T, n, V]: all conditionals of the next item of each lane; the state is as if they had been stepped."""
        rows, size = symbols.shape
        before = np.concatenate([np.full((rows, 1), BEGIN, symbols.dtype), symbols[:, :-1]], 1)
        out = np.empty((size, rows, self.vocab_size), np.float32)

        def work(some: slice) -> None:
            for at in range(some.start, some.stop, at_once):
                part = slice(at, min(at + at_once, some.stop))
                parallel = ParallelExact(self._weights, self.shape, self.order, part.stop - part.start)
                if given is not None:
                    parallel.give(given[part])
                with np.errstate(all="ignore"):
                    pmf = self.network(parallel, before[part].reshape(-1))
                out[:, part] = pmf.reshape(part.stop - part.start, size, -1).swapaxes(0, 1)

        given = self._items_given(state, rows)
        at_once = max(1, PARALLEL_ROWS // size)
        share_rows(work, rows)
        for _, exact in state.shares:
            exact.end_item()
        return out

    def _items_given(self, state: State, rows: int) -> np.ndarray | None:
        """What the next item of each lane is predicted from."""
        if self._given is None:
            return None
        exact = state.shares[0][1]
        return self._given_of(state.first[:rows] + exact.items + (exact.at == self.stride - 1))

    def _given_of(self, items: np.ndarray) -> np.ndarray:
        """What items of these numbers are predicted from; of one past the end, which is no whole item, the last serves."""
        assert self._given is not None
        known = self._given if len(self._given) else np.zeros((1, self.given_size), np.int32)
        return known[np.minimum(items, len(known) - 1)]

    # --- on disk ---------------------------------------------------------------------------------

    def config(self) -> Config:
        return dict(self.settings)

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> "NetworkPrior":
        """Raises ModelError where a tensor is missing or of another shape."""
        prior = cls(config, tensors, vocab_size)
        probe = prior.with_given(np.zeros(prior.given_size, np.int32)) if prior.given_size else prior
        probe.step(probe.init(1, prior.stride), None, 1)  # asks for every tensor
        prior._weights.nothing_else()
        return prior
