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


def bottleneck_of(tokenizer: Autoencoder, rate: float = 0.0) -> Bottleneck:
    """rate: weight of the bits in the choice of codes, for kinds whose learner takes it. Raises TokpressError where its class has none."""
    method = getattr(tokenizer, "bottleneck", None)
    if method and rate:
        raise TokpressError(f"the tokenizer {tokenizer.name!r} has a bottleneck of its own: leave --rate out")
    bottleneck: Bottleneck = method() if method else _built_in(tokenizer, rate)
    return bottleneck


def critic_of(tokenizer: Autoencoder) -> Critic | None:
    if method := getattr(tokenizer, "critic", None):
        critic: Critic | None = method()
        return critic
    if not isinstance(tokenizer, VQGANTokenizer):
        return None
    return Critic(tokenizer.channels, tokenizer.settings["adversarial"], tokenizer.settings["perceptual"])


@singledispatch
def _built_in(tokenizer: Autoencoder, rate: float) -> Bottleneck:
    raise TokpressError(
        f"the tokenizer {tokenizer.name!r} has no bottleneck to train with; give it a method bottleneck()"
    )


@_built_in.register
def _(tokenizer: VQTokenizer, rate: float) -> Bottleneck:
    return Nearest(tokenizer.dim(), tokenizer.symbols(), tokenizer.settings["commitment"], rate)


@_built_in.register
def _(tokenizer: GumbelTokenizer, rate: float) -> Bottleneck:
    s = tokenizer.settings
    return Concrete(tokenizer.symbols(), tokenizer.dim(), s["sharpness"], s["kl"])


@_built_in.register
def _(tokenizer: MultiscaleTokenizer, rate: float) -> Bottleneck:
    side = isqrt(prod(tokenizer.latent))
    commitment = tokenizer.settings["commitment"]
    return Scales(tokenizer.dim(), tokenizer.symbols(), tokenizer.scales(), side, commitment, rate)


@_built_in.register
def _(tokenizer: FSQTokenizer, rate: float) -> Bottleneck:
    return Lattice(tokenizer.levels())


@_built_in.register
def _(tokenizer: LFQTokenizer, rate: float) -> Bottleneck:
    s = tokenizer.settings
    return Signs(tokenizer.dim(), s["entropy"], s["diversity"], s["commitment"])


@_built_in.register
def _(tokenizer: AudioRVQTokenizer, rate: float) -> Bottleneck:
    s = tokenizer.settings
    return Residual(tokenizer.dim(), tokenizer.symbols(), s["levels"], s["commitment"])
