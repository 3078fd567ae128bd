"""Product of experts: two priors over the same tokens, multiplied.

    p(v) ∝ p_1(v)^(1 − w) · p_2(v)^w,       w = ½, ¼ or ¾

The logarithmic opinion pool (Genest & Zidek 1986, §3.1; Hinton 2002, "Training products of experts", §1
without its training). A symbol is likely where both members find it likely, and unlikely where one does; in the mean of
probabilities, ½·p_1 + ½·p_2, it stays likely where one member finds it likely. −log2 p is at most the weighted mean of the members' −log2 p,
since Σ_v p_1(v)^(1 − w) · p_2(v)^w ≤ 1 (Hölder).

A geometric mean of two is a root, m = √(p_1 · p_2), which every CPU rounds alike, and needs neither logarithm nor exponential;
√(p_2 · m) has the weights ¼ and ¾. The result is normalised with integers, as a softmax is:

    u(v) = max(round(2^23 · p_1(v)^(1 − w) · p_2(v)^w), 1),     p(v) = u(v) / Σ u

Members are any two stepped priors over the same tokens. Each learns as it does alone. n lanes, V symbols.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ...coding import Frame
from ...coding.base import Pmf, step
from ...coding.lanes import FrameRules
from ...errors import ModelError, TokpressError
from ...exact.ops import WEIGHT_BITS, over_sum
from ...exact.orders import Order
from ...lazy import np
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import Prior, SteppedPrior
from .parts import loaded_members, side_by_side, stepped_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMBERS = 2
#: the weight of the second member, in quarters
QUARTERS = (1, 2, 3)


def multiply(one: Pmf, other: Pmf, quarters: int = 2) -> Pmf:
    """[n, V] and [n, V] → [n, V], a new array. quarters: the weight of `other`, in quarters.

    >>> multiply(np.float32([[0.5, 0.5, 0]]), np.float32([[0.9, 0.1, 0]])).round(3).tolist()
    [[0.75, 0.25, 0.0]]
    """
    mean = np.sqrt(one * other)
    if quarters != 2:
        mean = np.sqrt((one if quarters == 1 else other) * mean)
    pmf: Pmf = over_sum(np, np.maximum(np.rint(mean * np.float32(2.0**WEIGHT_BITS)).astype(np.int32), 1))
    return pmf


class ProductPrior(SteppedPrior):
    name = "product"
    #: settings of training
    defaults: ClassVar = {"members": "", "quarters": 2}

    def __init__(self, members: Sequence[Prior], quarters: int = 2) -> None:
        """quarters: the weight of the second member. Raises TokpressError unless there are two stepped members, over the same tokens in the same
        order."""
        if type(quarters) is not int or quarters not in QUARTERS:
            raise TokpressError(
                f"quarters={quarters!r} of a product should be 1, 2 or 3, the weight of its second member"
            )
        if len(members) != MEMBERS:
            raise TokpressError(f"a product has {MEMBERS} members, not {len(members)}")
        self.members, self.quarters, first = stepped_members(members, "a product"), quarters, members[0]
        for member in members:
            if member.vocab_size != first.vocab_size:
                raise TokpressError("the members of a product must predict the same symbols")
            if member.rules.stride != first.rules.stride or not _same_order(member.rules.order, first.rules.order):
                raise TokpressError("the members of a product must code the symbols of items in the same order")
        self.vocab_size = first.vocab_size
        self.rules = FrameRules(
            first.rules.stride,
            first.rules.order,
            tokens_per_byte=min(member.rules.tokens_per_byte for member in members),
        )

    def for_frame(self, frame: Frame) -> ProductPrior:
        bound = copy.copy(self)
        bound.members = [member.for_frame(frame) for member in self.members]
        return bound

    def init(self, lanes: int, tokens: int) -> list[Any]:
        return [member.init(lanes, tokens) for member in self.members]

    def step(self, state: list[Any], previous: Tokens | None, rows: int) -> Pmf:
        one, other = (step(member, part, previous, rows) for member, part in zip(self.members, state))
        return multiply(one, other, self.quarters)

    def step_block(self, state: list[Any], previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        def steps(member: SteppedPrior, part: Any) -> Iterator[Pmf]:
            for block in member.step_block(part, previous, symbols):
                yield from block

        for one, other in zip(*(steps(member, part) for member, part in zip(self.members, state)), strict=True):
            yield multiply(one, other, self.quarters)[None]

    def config(self) -> Config:
        quarters = {} if self.quarters == 2 else {"quarters": self.quarters}
        return {**quarters, "members": [{"name": member.name, **member.config()} for member in self.members]}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return side_by_side([member.tensors() for member in self.members])

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> ProductPrior:
        check_settings(f"a {cls.name} prior", config, {"members"}, {"quarters"})
        members = loaded_members(config["members"], MEMBERS, tensors, vocab_size)
        try:
            return cls(members, config.get("quarters", 2))
        except TokpressError as error:
            raise ModelError(f"config.json: {error}") from error


def _same_order(one: Order | None, other: Order | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))
