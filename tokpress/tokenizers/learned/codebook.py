"""Search for the nearest code vector."""

import numpy as np
from numpy.typing import NDArray

#: distances computed at once
AT_ONCE = 1 << 22


def nearest(
    z: NDArray[np.floating] | NDArray[np.uint8], codebook: NDArray[np.floating] | NDArray[np.uint8]
) -> NDArray[np.int64]:
    """z [N, D] → number [N] of the nearest code [K, D]; of several, the first.

    >>> nearest(np.array([[0.9, 0.2]]), np.array([[0.0, 0.0], [1.0, 0.0]]))
    array([1])
    """
    z, codes = z.astype(np.float64), codebook.astype(np.float64)
    out = np.empty(len(z), np.int64)
    step = max(1, AT_ONCE // len(codes))
    for at in range(0, len(z), step):
        out[at : at + step] = ((codes**2).sum(1) - 2 * (z[at : at + step] @ codes.T)).argmin(1)
    return out
