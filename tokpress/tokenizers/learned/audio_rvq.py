"""Residual VQ of waveforms: each stretch of sound becomes a few indices, the first the coarsest.

    r_0 = z,   t_q = argmin_k ‖r_q − c_q,k‖²,   r_{q+1} = r_q − c_q,t_q,   ẑ = Σ_q c_q,t_q

Zeghidour et al. 2021, "SoundStream", §III-C, algorithm 1; Défossez et al. 2022, "High fidelity neural audio compression"
(EnCodec), §3.1, §3.2. Its tokens are a grid of time × level, the levels of a time side by side, as channels are: a prior
codes them one after the other, which is what EnCodec's language model over entropy-coded streams does (§3.3).
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...exact.orders import Shape
from ...tokens import Tokens
from .autoencoder import Autoencoder
from .codebook import nearest


class AudioRVQTokenizer(Autoencoder):
    name = "audio_rvq"
    spatial = 1
    reach = 3
    sound = True
    defaults: ClassVar = {
        **Autoencoder.defaults, "shape": "2048", "down": 32, "codes": 512, "dim": 16, "levels": 4, "commitment": 0.25,
    }  # fmt: skip

    def symbols(self) -> int:
        return int(self.settings["codes"])

    def dim(self) -> int:
        return int(self.settings["dim"])

    def shape_of_tokens(self) -> Shape:
        return (*self.latent, 1, self.settings["levels"])

    def _codebooks(self) -> NDArray[np.float32]:
        return self._weights.vector("codebook", self.settings["levels"], self.symbols(), self.dim())

    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        residual, out = z.copy(), []
        for codebook in self._codebooks():
            out.append(nearest(residual, codebook))
            residual -= codebook[out[-1]]
        return np.stack(out, 1)

    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        by_level = tokens.reshape(-1, self.settings["levels"]).T
        total = np.zeros((by_level.shape[1], self.dim()), np.float32)
        for codebook, level in zip(self._codebooks(), by_level):  # sums of floats depend on the order
            total = total + codebook[level]
        return total
