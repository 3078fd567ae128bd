"""Ensemble: the mean of the joint likelihoods of several priors, for instance of MADEs in several orders.

    p(x) = 1/K Σ_k p_k(x)        x a whole item, each p_k in its own order

Germain et al. 2015 (MADE), §4.2, "order-agnostic training"; their ensembles average likelihoods of one network under
several orders, here every member has weights of its own. Averaging *conditionals* per pixel over orders, as is sometimes
done, lets a pixel be predicted from ones that are decoded after it. What is coded here is the mean above, by bits-back
coding (`coding.bits_back`); −log2 p is at most log2 K above the best member's, for every item.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ...coding import Codec, Frame
from ...coding.bits_back import BitsBack
from ...coding.lanes import FrameRules
from ...errors import ModelError, TokpressError
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ..base import Prior
from .parts import loaded_members, side_by_side, stepped_members

MAX_MEMBERS = 256
#: probabilities of a group of items that a writer holds
MAX_HELD = 1 << 24


class EnsemblePrior(Prior):
    """Members may code an item's symbols in different orders, so that single symbols have no conditionals. `order` is the raster
    one, and the lanes of a frame are the items that are coded side by side."""

    name = "ensemble"

    def __init__(self, members: Sequence[Prior]) -> None:
        """Raises TokpressError where they are not of items of one size and alphabet."""
        if not 2 <= len(members) <= MAX_MEMBERS:
            raise TokpressError(f"an ensemble has 2 to {MAX_MEMBERS} members, not {len(members)}")
        self.members, self.vocab_size = stepped_members(members, "an ensemble"), members[0].vocab_size
        stride = members[0].rules.stride
        for member in members:
            if member.rules.order is None:
                raise TokpressError(f"a {member.name} prior of no items is no member of an ensemble")
            if (member.rules.stride, member.vocab_size) != (stride, self.vocab_size):
                raise TokpressError("the members of an ensemble are of items of one size, and of one alphabet")
        most = max(1, min(128, MAX_HELD // (stride * self.vocab_size)))
        self.rules = FrameRules(stride, np.arange(stride), max_lanes=most)

    def codec(self, frame: Frame) -> Codec:
        members = [member.for_frame(frame) for member in self.members]
        return BitsBack(members, frame, scored=self.rules.lanes(frame.tokens))

    def config(self) -> Config:
        return {"members": [{"name": member.name, **member.config()} for member in self.members]}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return side_by_side([member.tensors() for member in self.members])

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> "EnsemblePrior":
        check_settings(f"a {cls.name} prior", config, {"members"}, set())
        members = loaded_members(config["members"], MAX_MEMBERS, tensors, vocab_size)
        try:
            return cls(members)
        except TokpressError as error:
            raise ModelError(f"config.json: {error}") from error
