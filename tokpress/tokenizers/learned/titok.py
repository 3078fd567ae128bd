"""TiTok: a picture as a short sequence of tokens that belong to no place in the picture.

    encoder    patches and `latents` learned vectors, one transformer over all; the outputs of the latter are z
    decoder    the codes and a learned vector for every patch, one transformer over all; patches from the latter

Yu et al. 2024, "An image is worth 32 tokens for reconstruction and generation", §3.2, fig. 3. Patches are `down` pixels wide;
the bottleneck is that of VQ. As everywhere here, attention and norms are the exact ones (`exact.fields`).
"""

import math
from typing import ClassVar

from ...exact.network_ops import FieldOps, Values
from ...exact.orders import Shape
from .autoencoder import Autoencoder
from .vq import VQTokenizer


class TiTokTokenizer(VQTokenizer):
    name = "titok"
    defaults: ClassVar = {
        **Autoencoder.defaults, "down": 8, "latents": 32, "width": 96, "depth": 3, "heads": 4, "codes": 512, "dim": 8,
        "commitment": 0.25,
    }  # fmt: skip

    def factors(self) -> list[tuple[int, ...]]:
        super().factors()
        return [(self.settings["down"],) * 2]

    def shape_of_tokens(self) -> Shape:
        return (self.settings["latents"], 1)

    def shape_of_codes(self) -> Shape:
        return (self.settings["latents"],)

    def encoder(self, m: FieldOps, x: Values) -> Values:
        s, patches = self.settings, math.prod(self.latent)
        h = m.linear("encoder.in", m.down(x, self.stage_factors[0]), s["width"])
        h = m.append_vectors(h + m.places("encoder.where", s["width"]), "encoder.latents", s["latents"])
        h = self._transformer(m, "encoder", h)
        h = m.cut(h, patches, patches + s["latents"], (s["latents"],))
        return m.linear("encoder.out", h, self.dim(), normed=True)

    def decoder(self, m: FieldOps, codes: Values) -> Values:
        s, patches = self.settings, math.prod(self.latent)
        h = m.linear("decoder.in", codes, s["width"]) + m.places("decoder.which", s["width"])
        h = m.append_vectors(h, "decoder.patches", patches)
        h = self._transformer(m, "decoder", h)
        h = m.cut(h, s["latents"], s["latents"] + patches, self.latent)
        h = m.conv("decoder.out", m.norm(h), self._spans(), self.channels * math.prod(self.stage_factors[0]), gain=0.3)
        return m.up(h, self.stage_factors[0])

    def _transformer(self, m: FieldOps, name: str, h: Values) -> Values:
        """Vaswani et al. 2017, §3.1, norms first (Xiong et al. 2020)."""
        s = self.settings
        for i in range(s["depth"]):
            b = f"{name}.blocks.{i}."
            q, k, v = m.parts(m.linear(b + "qkv", h, 3 * s["width"], normed=True), 3)
            h = h + m.linear(b + "out", m.attend(b + "attend", q, k, v, s["heads"]), s["width"], gain=0.5)
            u = m.relu(m.linear(b + "up", h, 4 * s["width"], normed=True))
            h = h + m.linear(b + "down", u, s["width"], gain=0.5)
        return h
