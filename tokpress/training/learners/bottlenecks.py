"""The bottleneck with which each kind of discrete autoencoder trains, and its critic, if it has one.

A kind that is not built in has methods `bottleneck()` and, if it likes, `critic()` of its own, which return the same.
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
    own = getattr(tokenizer, "bottleneck", None)
    made: Bottleneck = own() if own else _built_in(tokenizer)
    return made


def critic_of(tokenizer: Autoencoder) -> Critic | None:
    if own := getattr(tokenizer, "critic", None):
        critic: Critic | None = own()
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
