"""FSQ: each of a few numbers is rounded to one of a few levels; the codebook is the lattice of these levels.

    b = (tanh z + 1)/2,   i_d = round(b_d·(L_d − 1)),   ẑ_d = 2·i_d/(L_d − 1) − 1,   t = Σ_d i_d·Π_{e<d} L_e

Mentzer, Minnen, Agustsson & Tschannen 2024, "Finite scalar quantization: VQ-VAE made simple", §3.1; rounding so that levels
lie symmetrically is that of Parker et al. 2024 (Stable Codec), §3.2. Only encoder and decoder are learned.
"""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...exact.orders import parse_numbers
from ...tokens import Tokens
from .autoencoder import Autoencoder


class FSQTokenizer(Autoencoder):
    name = "fsq"
    defaults: ClassVar = {**Autoencoder.defaults, "levels": "8,8,8"}

    def levels(self) -> list[int]:
        levels = parse_numbers(self.settings["levels"])
        if not levels or min(levels) < 2:
            raise TokpressError(
                f"levels={self.settings['levels']} of the tokenizer 'fsq' should be numbers above 1: 8,8,8"
            )
        return levels

    def symbols(self) -> int:
        return math.prod(self.levels())

    def dim(self) -> int:
        return len(self.levels())

    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        out, base = np.zeros(len(z), np.int64), 1
        for d, level in enumerate(self.levels()):
            step = np.floor((np.tanh(z[:, d].astype(np.float64)) + 1) / 2 * (level - 1) + 0.5)
            out += base * np.clip(step, 0, level - 1).astype(np.int64)
            base *= level
        return out

    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        quotient, out = tokens.reshape(-1).astype(np.int64), []
        for level in self.levels():
            quotient, step = np.divmod(quotient, level)
            out.append((2 * step - (level - 1)).astype(np.float32) / np.float32(level - 1))
        return np.stack(out, 1)
