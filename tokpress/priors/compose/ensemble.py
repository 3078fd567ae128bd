"""Ensemble: the mean of the joint likelihoods of several priors, MADEs in several orders for instance.

    p(x) = 1/K Σ_k p_k(x)        x a whole item, each p_k in its own order

Germain et al. 2015 (MADE), §4.2, "order-agnostic training"; their ensembles average likelihoods of one network under
several orders, here every member has weights of its own. Averaging *conditionals* per pixel over orders, as is sometimes
done, lets a pixel be predicted from ones that are decoded after it. What is coded here is the mean above, by bits-back
coding (`coding.bits_back`); −log2 p is at most log2 K above the best member's, for every item.
"""

from collections.abc import Mapping

import numpy as np

from ...coding import Codec, Frame
from ...coding.bits_back import BitsBack
from ...errors import ModelError, TokpressError
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ..base import NotStepped, Prior
from .parts import loaded_members, side_by_side

MAX_MEMBERS = 256
#: probabilities of a group of items that a writer holds
MAX_HELD = 1 << 24


class EnsemblePrior(NotStepped):
    """Members may code an item's symbols in different orders, so that single symbols have no conditionals. `order` is the raster
    one, and the lanes of a frame are the items that are coded side by side."""

    name = "ensemble"

    def __init__(self, members: list[Prior]) -> None:
        """Raises TokpressError where they are not of items of one size and alphabet."""
        if not 2 <= len(members) <= MAX_MEMBERS:
            raise TokpressError(f"an ensemble has 2 to {MAX_MEMBERS} members, not {len(members)}")
        for member in members:
            if isinstance(member, NotStepped):
                raise TokpressError(f"a prior of the kind {member.name} is no member of an ensemble")
            if member.order is None or member.wants_given:
                raise TokpressError(f"a {member.name} prior of no items, or of given ones, is no member of an ensemble")
            if (member.stride, member.vocab_size) != (members[0].stride, members[0].vocab_size):
                raise TokpressError("the members of an ensemble are of items of one size, and of one alphabet")
        self.members, self.vocab_size, self.stride = members, members[0].vocab_size, members[0].stride
        self.order = np.arange(self.stride)
        self.most_lanes = max(1, min(128, MAX_HELD // (self.stride * self.vocab_size)))

    def codec(self, frame: Frame) -> Codec:
        return BitsBack([member.for_frame(frame) for member in self.members], frame, self.lanes(frame.tokens))

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
