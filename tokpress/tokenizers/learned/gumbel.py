"""Gumbel-softmax: training draws a soft mixture of codes, weighted by nearness; coding takes the nearest code.

    l_k = −s·‖z − c_k‖²,  q = softmax(l)    y = softmax((l + g)/τ), g Gumbel noise, τ falling    ẑ = Σ_k y_k c_k    t = argmax l
    loss  kl·KL(q ‖ uniform)

Jang, Gu & Poole 2017, "Categorical reparameterization with Gumbel-softmax", §2; Maddison, Mnih & Teh 2017, "The Concrete
distribution", §3; as an image tokenizer: Ramesh et al. 2021 (DALL·E), §2.1. There the encoder gives each code a logit of its own;
with distances (Agustsson et al. 2017, §3.2, without noise) the codes are near the encoder's outputs from the beginning, and many
more of them are used (docs/tokenizers.md).
"""

from typing import ClassVar

from .vq import VQTokenizer


class GumbelTokenizer(VQTokenizer):
    name = "gumbel"
    defaults: ClassVar = {**VQTokenizer.defaults, "sharpness": 4.0, "kl": 0.02}
