"""Exact joint likelihoods of whole items, on which both sides of bits-back coding must agree to the last bit.

p(x) = Π_t p(x_t | x_<t) is too small for a float64, so it is kept as m · 2^e with ½ ≤ m < 1. The factors are multiplied in the
order of the steps. Each product is correctly rounded, each split into m and e is exact, and no logarithm is taken."""

import numpy as np
from numpy.typing import NDArray

#: what the coder gives every symbol at least
LEAST = np.float64(2.0**-24)


class Joint:
    """The likelihoods of n items, one a lane.

    >>> joint = Joint(1)
    >>> joint.times(np.array([[[0.25, 0.75]]] * 2, np.float32), np.array([[0], [1]]))
    >>> joint.mantissa, joint.exponent, joint.log2().round(3)
    (array([0.75]), array([-2]), array([-2.415]))
    """

    def __init__(self, items: int) -> None:
        self.mantissa, self.exponent = np.full(items, 0.5), np.ones(items, np.int64)

    def times(self, pmf: NDArray[np.float32], symbols: NDArray[np.int32]) -> None:
        """pmf [steps, n, V] and the symbols [steps, n] that came."""
        chosen = np.take_along_axis(pmf, symbols[:, :, None].astype(np.intp), axis=2)[:, :, 0].astype(np.float64)
        for p in np.maximum(chosen, LEAST):
            self.mantissa, more = np.frexp(self.mantissa * p)
            self.exponent += more

    def log2(self) -> NDArray[np.float64]:
        """To tell people; nothing exact may depend on it."""
        bits: NDArray[np.float64] = np.log2(self.mantissa) + self.exponent
        return bits


def posterior(members: list[Joint]) -> NDArray[np.float32]:
    """q(k | x) = p_k(x) / Σ_j p_j(x) of n items, [n, K]."""
    exponents = np.stack([joint.exponent for joint in members], 1)
    shift = np.maximum(exponents - exponents.max(1, keepdims=True), -64)
    weights = np.ldexp(np.stack([joint.mantissa for joint in members], 1), shift.astype(np.int32))
    total = weights[:, 0].copy()
    for k in range(1, weights.shape[1]):  # a float sum has an order here
        total += weights[:, k]
    return np.ascontiguousarray((weights / total[:, None]).astype(np.float32))
