"""Multi-scale residual VQ: a picture as maps of codes, from one code for the whole picture to one for each place.

    r = z;   for each scale s:   t_s = nearest codes of mean-pooled r;   f ← f + φ(repeat c_{t_s});   r = z − f

Tian et al. 2024, "Visual autoregressive modeling: scalable image generation via next-scale prediction" (VAR), §3.2, algorithm
1. One codebook for all scales. Pooling is the mean over blocks and enlarging repeats, so that everything is exact; φ, which
VAR learns for each scale, is left out. Its tokens are one sequence, coarse before fine. `scales` are the sides of the maps;
each divides the next, and the last is that of the encoder's grid. A prior that predicts whole maps from the coarser ones is
`next_scale`.
"""

from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...exact.orders import Shape, parse_numbers
from ...tokens import Tokens
from .autoencoder import Autoencoder
from .codebook import nearest
from .vq import VQTokenizer


def pooled(x: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Mean over blocks: [n, S, S, D] → [n, side, side, D]."""
    n, full, _, d = x.shape
    f = full // side
    means: NDArray[np.float64] = x.reshape(n, side, f, side, f, d).mean((2, 4))
    return means


def repeated(x: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """[n, s, s, D] → [n, side, side, D]."""
    return x.repeat(side // x.shape[1], 1).repeat(side // x.shape[2], 2)


class MultiscaleTokenizer(VQTokenizer):
    name = "multiscale"
    defaults: ClassVar = {**Autoencoder.defaults, "scales": "1,2,4,8", "codes": 512, "dim": 8, "commitment": 0.25}

    def scales(self) -> list[int]:
        scales = parse_numbers(self.settings["scales"])
        if not scales or min(scales) < 1 or any(b % a or b <= a for a, b in pairwise(scales)):
            raise TokpressError(
                f"scales={self.settings['scales']} of the tokenizer 'multiscale' should be like 1,2,4,8"
            )
        if self.latent != (scales[-1], scales[-1]):
            sides = "x".join(map(str, self.latent))
            raise TokpressError(
                f"scales={self.settings['scales']} should end with the side of the grid, which is {sides}"
            )
        return scales

    def shape_of_tokens(self) -> Shape:
        return (sum(side * side for side in self.scales()), 1)

    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        codebook = self._codebook()
        residual = z.reshape(-1, *self.latent, self.dim()).astype(np.float64)
        out = []
        for side in self.scales():
            indices = nearest(pooled(residual, side).reshape(-1, self.dim()), codebook)
            out.append(indices.reshape(len(residual), -1))
            residual = residual - repeated(codebook[out[-1]].reshape(-1, side, side, self.dim()), self.latent[0])
        return np.concatenate(out, 1)

    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        codebook, at = self._codebook(), 0
        total = np.zeros((len(tokens), *self.latent, self.dim()), np.float32)
        for side in self.scales():  # sums of floats depend on the order
            codes = codebook[tokens[:, at : at + side * side]].reshape(-1, side, side, self.dim())
            total = total + repeated(codes, self.latent[0])
            at += side * side
        return total.reshape(-1, self.dim())
