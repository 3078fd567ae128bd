"""Gumbel-softmax: the encoder gives each code a logit; in training a code is drawn, softly, and then it is the likeliest.

    q(t | x) = softmax(z)    y = softmax((z + g)/τ), g Gumbel noise, τ falling    ẑ = Σ_k y_k c_k    coded: t = argmax z

Jang, Gu & Poole 2017, "Categorical reparameterization with Gumbel-softmax", §2; Maddison, Mnih & Teh 2017, "The Concrete
distribution", §3; as an image tokenizer: Ramesh et al. 2021 (DALL·E), §2.1.
"""

from typing import Any, ClassVar

import numpy as np

from .autoencoder import Autoencoder


class GumbelTokenizer(Autoencoder):
    name = "gumbel"
    defaults: ClassVar = {**Autoencoder.defaults, "codes": 512, "dim": 16, "kl": 0.001}

    def symbols(self) -> int:
        return self.settings["codes"]

    def dim(self) -> int:
        return self.settings["codes"]

    def code_dim(self) -> int:
        return self.settings["dim"]

    def indices(self, z: np.ndarray) -> np.ndarray:
        return z.argmax(1)

    def codes(self, tokens: np.ndarray) -> np.ndarray:
        return self._weights.vector("codebook", self.symbols(), self.settings["dim"])[tokens.reshape(-1)]

    def bottleneck(self) -> Any:
        from ..training.bottlenecks import Concrete

        return Concrete(self.symbols(), self.settings["dim"], self.settings["kl"])
