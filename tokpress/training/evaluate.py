"""What a prior costs on held-out data, measured by the exact steps that code."""

import numpy as np
from numpy.typing import NDArray

from ..coding import Frame
from ..priors.base import Prior
from ..tokens import TokenBuffer

#: the held-out data of the final figures: at most ROWS lanes of LENGTH tokens
ROWS, LENGTH = 32, 1024


def exact_bits_per_byte(
    prior: Prior, batch: NDArray[np.int64], lengths: NDArray[np.float64], given: TokenBuffer | None = None
) -> float:
    """Ideal code length of batch [B, T], coded in B lanes: Σ −log₂ p over the source bytes. All tokens count,
    the first of each lane too. No payload can be shorter by more than the coder's rounding. given: as in `Frame`."""
    stride = prior.rules.stride
    usable = batch[:, : batch.shape[1] // stride * stride]
    frame = Frame(usable.size, len(usable), given=given)
    bits = prior.codec(frame).score(usable.astype(np.int32).ravel())
    return float(bits.sum()) / max(float(lengths[usable.ravel()].sum()), 1.0)
