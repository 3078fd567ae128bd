"""The pmf of a mixture of discretized logistics over V ordered symbols, from correctly rounded operations.

    p(v) = Σ_k π_k [σ((v + ½ − μ_k)/s_k) − σ((v − ½ − μ_k)/s_k)],  the outermost bins reach to ±∞

Salimans et al. 2017 (PixelCNN++), §2.1. Symbols are scaled to −1 … 1, where μ and ln s live. σ(z) = 1/(1 + e^−z) with the
e^−z of `ops.exp_neg`. The parameters come as rows [n, K]: log weights, means, log scales.
"""

import numpy as np

from . import ops
from .arrays import Floats, Integers

MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 3.0
E_TO_7 = np.float32(1096.6331584284585)


def sigmoid(z: Floats) -> Floats:
    e: Floats = ops.exp_neg(np, np.abs(z))
    small = e / (np.float32(1) + e)
    result: Floats = np.where(z >= 0, np.float32(1) - small, small)
    return result


def pmf(log_weights: Floats, means: Floats, log_scales: Floats, symbols: int) -> Floats:
    """[n, V] float32, from integer weights of at least 1 in 2^23."""
    w: Integers = ops.exp2_weights(np, log_weights)
    share = w.astype(np.float32) / w.sum(1, dtype=np.int64, keepdims=True).astype(np.float32)
    log_scales = np.clip(log_scales, np.float32(MIN_LOG_SCALE), np.float32(MAX_LOG_SCALE))
    # e^−ln s = e^7 · e^−(ln s + 7), whose exponent is never positive
    inverse = ops.exp_neg(np, log_scales - np.float32(MIN_LOG_SCALE)) * E_TO_7
    edges = ((np.arange(1, symbols, dtype=np.float32) - np.float32(0.5)) * np.float32(2 / (symbols - 1))) - np.float32(
        1
    )
    total = np.zeros((len(means), symbols), np.float32)
    for k in range(means.shape[1]):
        below = sigmoid((edges - means[:, k : k + 1]) * inverse[:, k : k + 1])
        mass = np.diff(below, axis=1, prepend=np.float32(0), append=np.float32(1))
        total = total + share[:, k : k + 1] * mass
    weights = np.maximum(np.round(total * np.float32(1 << ops.WEIGHT_BITS)).astype(np.int32), 1)
    normalized: Floats = weights.astype(np.float32) / weights.sum(1, dtype=np.int64, keepdims=True).astype(np.float32)
    return normalized
