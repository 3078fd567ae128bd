"""Bits of a prior on held-out data, measured by the exact steps of the coder."""

import numpy as np
from numpy.typing import NDArray

from ..coding import Frame
from ..priors.base import Prior
from ..tokens import TokenBuffer

#: the final figures are of at most ROWS lanes of LENGTH held-out tokens
ROWS, LENGTH = 32, 1024


def exact_bits_per_byte(
    prior: Prior, batch: NDArray[np.int64], lengths: NDArray[np.float64], given: TokenBuffer | None = None
) -> float:
    """Ideal code length of batch [B, T] in B lanes, over its source bytes: Σ −log₂ p of all tokens, the first of each lane
    included. A payload is shorter by no more than the coder's rounding. given: as in `Frame`."""
    stride = prior.rules.stride
    usable = batch[:, : batch.shape[1] // stride * stride]
    frame = Frame(usable.size, len(usable), given=given)
    bits = prior.codec(frame).score(usable.astype(np.int32).ravel())
    return float(bits.sum()) / max(float(lengths[usable.ravel()].sum()), 1.0)
