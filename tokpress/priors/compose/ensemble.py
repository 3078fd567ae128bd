"""Ensemble: the mean of the joint likelihoods of several priors, for instance of MADEs in several orders.

    p(x) = 1/K Σ_k p_k(x)        x a whole item, each p_k in its own order

Germain et al. 2015 (MADE), §4.2, "order-agnostic training"; their ensembles average likelihoods of one network under
several orders, here every member has weights of its own. Averages of *conditionals* per pixel over orders predict pixels
from pixels that are decoded later. The mean above is coded by bits-back
coding (`coding.bits_back`); −log2 p is at most log2 K above the best member's, for every item.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding import Codec, Frame
from ...coding.bits_back import BitsBack
from ...coding.lanes import FrameRules
from ...errors import ModelError, TokpressError
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ..base import Prior
from .parts import loaded_members, side_by_side, stepped_members

MAX_MEMBERS = 256
#: probabilities that an encoder holds, of the items of all lanes
MAX_HELD = 1 << 24


class EnsemblePrior(Prior):
    """Members may code an item's symbols in different orders, so that single symbols have no conditionals. `order` is the raster
    one, and the lanes of a frame are items, which are coded in parallel."""

    name = "ensemble"
    #: settings of training
    defaults: ClassVar = {"members": ""}

    def __init__(self, members: Sequence[Prior]) -> None:
        """Raises TokpressError unless all members predict items of one size and alphabet."""
        if not 2 <= len(members) <= MAX_MEMBERS:
            raise TokpressError(f"an ensemble has 2 to {MAX_MEMBERS} members, not {len(members)}")
        self.members, self.vocab_size = stepped_members(members, "an ensemble"), members[0].vocab_size
        stride = members[0].rules.stride
        for member in members:
            if member.rules.order is None:
                raise TokpressError(f"a {member.name} prior without items cannot be a member of an ensemble")
            if (member.rules.stride, member.vocab_size) != (stride, self.vocab_size):
                raise TokpressError("the members of an ensemble must predict items of one size and one alphabet")
        max_lanes = max(1, min(128, MAX_HELD // (stride * self.vocab_size)))
        self.rules = FrameRules(stride, np.arange(stride), max_lanes=max_lanes)

    def codec(self, frame: Frame) -> Codec:
        members = [member.for_frame(frame) for member in self.members]
        return BitsBack(members, frame, scored=self.rules.lanes(frame.tokens))

    def config(self) -> Config:
        return {"members": [{"name": member.name, **member.config()} for member in self.members]}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return side_by_side([member.tensors() for member in self.members])

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "EnsemblePrior":
        check_settings(f"a {cls.name} prior", config, {"members"}, set())
        members = loaded_members(config["members"], MAX_MEMBERS, tensors, vocab_size)
        try:
            return cls(members)
        except TokpressError as error:
            raise ModelError(f"config.json: {error}") from error
