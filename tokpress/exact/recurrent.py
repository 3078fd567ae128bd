"""The recurrent forms of linear attention and of diagonal linear state spaces: element by element, sums in a fixed order."""

import numpy as np

from .arrays import Floats

LEAST = np.float32(2.0**-20)


def ordered_sum(x: Floats) -> Floats:
    """Σ over the last axis by halves: an order of float additions that is always the same.

    >>> ordered_sum(np.ones((2, 7))).tolist()
    [7.0, 7.0]
    """
    while x.shape[-1] > 1:
        half = (x.shape[-1] + 1) // 2
        added = x[..., : x.shape[-1] - half] + x[..., half:]
        x = np.concatenate([added, x[..., x.shape[-1] - half : half]], -1)
    return x[..., 0]


def linear_attention(q: Floats, k: Floats, v: Floats, sums: Floats) -> Floats:
    """q, k > 0 and v [n, heads·d]; sums [n, heads, d, d + 1] is S beside z, and is updated."""
    n, heads, d, _ = sums.shape
    q, k, v = (x.reshape(n, heads, d) for x in (q, k, v))
    sums[..., :d] += k[..., :, None] * v[..., None, :]
    sums[..., d] += k
    out = ordered_sum((q[..., :, None] * sums).swapaxes(2, 3))
    return (out[..., :d] / np.maximum(out[..., d:], LEAST)).reshape(n, -1)


def state_space(u: Floats, h: Floats, a: Floats, c: Floats, skip: Floats) -> Floats:
    """u [n, C]; h [2, n, C, N] real and imaginary parts, updated; a, c [2, C, N]."""
    re = a[0] * h[0] - a[1] * h[1] + u[:, :, None]
    im = a[0] * h[1] + a[1] * h[0]
    h[0], h[1] = re, im
    return ordered_sum(c[0] * re - c[1] * im) + skip * u
