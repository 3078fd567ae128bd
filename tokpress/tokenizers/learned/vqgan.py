"""VQGAN: the autoencoder of VQ, taught by a critic too, which is shown pictures and reconstructions in patches.

    loss = ‖x − x̂‖² / var(x) + perceptual(x, x̂) + λ·adversarial(x̂) + bottleneck's,   λ = weight · ‖∇ reconstruction‖ / ‖∇ adversarial‖

Esser, Rombach & Ommer 2021, "Taming transformers for high-resolution image synthesis", §3.1, eq. 4–7: a patch critic (Isola
et al. 2017, §2.2.2) with the hinge loss, after a third of the run; λ by the gradients at the decoder's last layer. The
perceptual loss is whatever `training.nets.adversarial.register_perceptual` was given; none is downloaded. What is coded is VQ's.
"""

from typing import ClassVar

from .vq import VQTokenizer


class VQGANTokenizer(VQTokenizer):
    name = "vqgan"
    defaults: ClassVar = {**VQTokenizer.defaults, "adversarial": 0.5, "perceptual": ""}
