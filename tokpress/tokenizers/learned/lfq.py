"""LFQ: the signs of a few numbers are the code; there is no table of codes to look up.

    ẑ_d = sign z_d,   t = Σ_d 2^(D−1−d)·[z_d > 0],   K = 2^D
    loss   E[H(t | z)] − γ·H(E[t | z]): each place sure of its code, and all codes used

Yu et al. 2024, "Language model beats diffusion: tokenizer is key to visual generation" (MAGVIT-v2), §3.1, eq. 4–5.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...tokens import Tokens
from .autoencoder import Autoencoder


def signs(indices: Tokens, bits: int) -> NDArray[np.float32]:
    """[N] → [N, D] of −1 and 1, the first from the highest bit."""
    return (2 * (indices[:, None] >> np.arange(bits)[::-1] & 1) - 1).astype(np.float32)


def from_signs(z: NDArray[np.float32]) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = ((z > 0).astype(np.int64) << np.arange(z.shape[1])[::-1]).sum(1)
    return indices


class LFQTokenizer(Autoencoder):
    name = "lfq"
    defaults: ClassVar = {**Autoencoder.defaults, "codes": 512, "entropy": 0.1, "diversity": 1.0, "commitment": 0.25}

    def symbols(self) -> int:
        codes = int(self.settings["codes"])
        if codes & (codes - 1):
            raise TokpressError(f"codes={codes} of the tokenizer {self.name!r} should be a power of two")
        return codes

    def dim(self) -> int:
        return self.symbols().bit_length() - 1

    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        return from_signs(z)

    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        return signs(tokens.reshape(-1), self.dim())
