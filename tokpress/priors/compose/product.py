"""Product of experts: two priors over the same tokens, multiplied.

    p(v) ∝ p_1(v)^(1 − w) · p_2(v)^w,       w = ½, or ¼ or ¾ where one of them knows more

The logarithmic opinion pool (Genest & Zidek 1986, §3.1; Hinton 2002, "Training products of experts", §1
without its training). A symbol stays likely where both find it likely, and is ruled out where one of them rules it out;
the mean of probabilities, ½·p_1 + ½·p_2, keeps a symbol that only one of them finds likely. −log2 p is at most the mean of the members' own at each token,
weighted alike, since Σ_v p_1(v)^(1 − w) · p_2(v)^w ≤ 1 (Hölder).

A geometric mean of two is a root, m = √(p_1 · p_2), which every CPU rounds alike, and needs neither logarithm nor exponential;
√(p_2 · m) has the weights ¼ and ¾. The result is shared out as a softmax is, by integers:

    u(v) = max(round(2^23 · p_1(v)^(1 − w) · p_2(v)^w), 1),     p(v) = u(v) / Σ u

Members are any two priors that step over the same tokens. Each learns as it does alone. Lanes n, V symbols.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...coding import Codec, Frame
from ...coding.base import Pmf
from ...coding.lanes import FrameRules
from ...errors import ModelError, TokpressError
from ...exact.ops import WEIGHT_BITS, over_sum
from ...lazy import np
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import Prior, SteppedPrior
from ..text.core import in_core
from .parts import loaded_members, side_by_side, stepped_members

MEMBERS = 2


#: the weight of the second member, in quarters
QUARTERS = (1, 2, 3)


def multiply(one: Pmf, other: Pmf, quarters: int = 2) -> Pmf:
    """[n, V] and [n, V] → [n, V], a new array; the weight of `other` is in quarters.

    >>> multiply(np.float32([[0.5, 0.5, 0]]), np.float32([[0.9, 0.1, 0]])).round(3).tolist()
    [[0.75, 0.25, 0.0]]
    """
    mean = np.sqrt(one * other)
    if quarters != 2:
        mean = np.sqrt((one if quarters == 1 else other) * mean)
    return over_sum(np, np.maximum(np.rint(mean * np.float32(2.0**WEIGHT_BITS)).astype(np.int32), 1))


class ProductPrior(SteppedPrior):
    name = "product"

    def __init__(self, members: Sequence[Prior], quarters: int = 2) -> None:
        """`quarters`: the weight of the second one. Raises TokpressError where they are not two that step, over the same tokens in the
        same order."""
        if type(quarters) is not int or quarters not in QUARTERS:
            raise TokpressError(
                f"quarters={quarters!r} of a product should be 1, 2 or 3, the weight of its second member"
            )
        if len(members) != MEMBERS:
            raise TokpressError(f"a product has {MEMBERS} members, not {len(members)}")
        self.members, self.quarters, first = stepped_members(members, "a product"), quarters, members[0]
        for member in members:
            if member.vocab_size != first.vocab_size:
                raise TokpressError("the members of a product predict the same symbols")
            if member.rules.stride != first.rules.stride or not _same_order(member.rules.order, first.rules.order):
                raise TokpressError("the members of a product code the symbols of items in the same order")
        self.vocab_size = first.vocab_size
        self.rules = FrameRules(
            first.rules.stride, first.rules.order, tokens_per_byte=min(each.rules.tokens_per_byte for each in members)
        )

    def for_frame(self, frame: Frame) -> ProductPrior:
        bound = copy.copy(self)
        bound.members = [member.for_frame(frame) for member in self.members]
        return bound

    def codec(self, frame: Frame) -> Codec:
        return in_core(self, frame)

    def init(self, lanes: int, tokens: int) -> list[Any]:
        return [member.init(lanes, tokens) for member in self.members]

    def step(self, state: list[Any], previous: Tokens | None, rows: int) -> Pmf:
        one, other = (member.step(own, previous, rows) for member, own in zip(self.members, state))
        return multiply(one, other, self.quarters)

    def step_block(self, state: list[Any], previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        def steps(member: SteppedPrior, own: Any) -> Iterator[Pmf]:
            for block in member.step_block(own, previous, symbols):
                yield from block

        for one, other in zip(*(steps(member, own) for member, own in zip(self.members, state)), strict=True):
            yield multiply(one, other, self.quarters)[None]

    def config(self) -> Config:
        quarters = {} if self.quarters == 2 else {"quarters": self.quarters}
        return {**quarters, "members": [{"name": member.name, **member.config()} for member in self.members]}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return side_by_side([member.tensors() for member in self.members])

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> ProductPrior:
        check_settings(f"a {cls.name} prior", config, {"members"}, {"quarters"})
        members = loaded_members(config["members"], MEMBERS, tensors, vocab_size)
        try:
            return cls(members, config.get("quarters", 2))
        except TokpressError as error:
            raise ModelError(f"config.json: {error}") from error


def _same_order(one: Any, other: Any) -> bool:
    return (one is None) == (other is None) and (one is None or np.array_equal(one, other))
