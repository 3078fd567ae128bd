"""VQ: each place becomes the number of the nearest of K code vectors.

    t = argmin_k ‖z − c_k‖²,   ẑ = c_t      codes follow the mean of the z that chose them; z is pulled to its code

van den Oord, Vinyals & Kavukcuoglu 2017, "Neural discrete representation learning" (VQ-VAE), §3.1, §3.2. The dimension of
codes is small (Yu et al. 2022, ViT-VQGAN, §3.2), so that all of them are used; a dead code is replaced by a z of the batch.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...tokens import Tokens
from .autoencoder import Autoencoder
from .codebook import nearest


class VQTokenizer(Autoencoder):
    name = "vq"
    defaults: ClassVar = {**Autoencoder.defaults, "codes": 512, "dim": 8, "commitment": 0.25}

    def symbols(self) -> int:
        return int(self.settings["codes"])

    def dim(self) -> int:
        return int(self.settings["dim"])

    def _codebook(self) -> NDArray[np.float32]:
        return self._weights.vector("codebook", self.symbols(), self.dim())

    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        return nearest(z, self._codebook())

    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        codes: NDArray[np.float32] = self._codebook()[tokens.reshape(-1)]
        return codes
