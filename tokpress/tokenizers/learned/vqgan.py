"""VQGAN: the autoencoder of VQ, trained against a critic of patches as well.

    loss = ‖x − x̂‖² / var(x) + perceptual(x, x̂) + λ·adversarial(x̂) + bottleneck's,   λ = weight · ‖∇ reconstruction‖ / ‖∇ adversarial‖

Esser, Rombach & Ommer 2021, "Taming transformers for high-resolution image synthesis", §3.1, eq. 4–7: a patch critic (Isola
et al. 2017, §2.2.2) with the hinge loss, after a third of the run; λ by the gradients at the decoder's last layer. The
perceptual loss is the one given to `training.nets.adversarial.register_perceptual`; none is downloaded. Coding is that of VQ.
"""

from typing import ClassVar

from .vq import VQTokenizer


class VQGANTokenizer(VQTokenizer):
    name = "vqgan"
    defaults: ClassVar = {**VQTokenizer.defaults, "adversarial": 0.5, "perceptual": ""}
