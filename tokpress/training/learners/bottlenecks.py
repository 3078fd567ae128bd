"""The bottleneck that each class of discrete autoencoders trains with, and its critic, if there is one.

A tokenizer of yours defines them in methods `bottleneck()` and, optionally, `critic()`.
"""

from functools import singledispatch
from math import isqrt, prod

from ...errors import TokpressError
from ...tokenizers.learned.audio_rvq import AudioRVQTokenizer
from ...tokenizers.learned.autoencoder import Autoencoder
from ...tokenizers.learned.fsq import FSQTokenizer
from ...tokenizers.learned.gumbel import GumbelTokenizer
from ...tokenizers.learned.lfq import LFQTokenizer
from ...tokenizers.learned.multiscale import MultiscaleTokenizer
from ...tokenizers.learned.vq import VQTokenizer
from ...tokenizers.learned.vqgan import VQGANTokenizer
from ..nets.adversarial import Critic
from ..nets.bottlenecks import Bottleneck, Concrete, Lattice, Nearest, Residual, Scales, Signs


def bottleneck_of(tokenizer: Autoencoder) -> Bottleneck:
    """Raises TokpressError where its class has none."""
    method = getattr(tokenizer, "bottleneck", None)
    bottleneck: Bottleneck = method() if method else _built_in(tokenizer)
    return bottleneck


def critic_of(tokenizer: Autoencoder) -> Critic | None:
    if method := getattr(tokenizer, "critic", None):
        critic: Critic | None = method()
        return critic
    if not isinstance(tokenizer, VQGANTokenizer):
        return None
    return Critic(tokenizer.channels, tokenizer.settings["adversarial"], tokenizer.settings["perceptual"])


@singledispatch
def _built_in(tokenizer: Autoencoder) -> Bottleneck:
    raise TokpressError(
        f"the tokenizer {tokenizer.name!r} has no bottleneck to train with; give it a method bottleneck()"
    )


@_built_in.register
def _(tokenizer: VQTokenizer) -> Bottleneck:
    return Nearest(tokenizer.dim(), tokenizer.symbols(), tokenizer.settings["commitment"])


@_built_in.register
def _(tokenizer: GumbelTokenizer) -> Bottleneck:
    s = tokenizer.settings
    return Concrete(tokenizer.symbols(), tokenizer.dim(), s["sharpness"], s["kl"])


@_built_in.register
def _(tokenizer: MultiscaleTokenizer) -> Bottleneck:
    side = isqrt(prod(tokenizer.latent))
    return Scales(tokenizer.dim(), tokenizer.symbols(), tokenizer.scales(), side, tokenizer.settings["commitment"])


@_built_in.register
def _(tokenizer: FSQTokenizer) -> Bottleneck:
    return Lattice(tokenizer.levels())


@_built_in.register
def _(tokenizer: LFQTokenizer) -> Bottleneck:
    s = tokenizer.settings
    return Signs(tokenizer.dim(), s["entropy"], s["diversity"], s["commitment"])


@_built_in.register
def _(tokenizer: AudioRVQTokenizer) -> Bottleneck:
    s = tokenizer.settings
    return Residual(tokenizer.dim(), tokenizer.symbols(), s["levels"], s["commitment"])
