"""Encode, decode, score and sample with any prior: the way that it codes in.

`conditionals` steps priors, and is what nearly all of them need. A mixture of whole items (`types.ItemMixture`) has no
conditional of a single symbol; `bits_back` codes it, stepping its members. One that spells its symbols
(`types.SpelledPrior`) has those of their bits, which `spelled` codes, in frames that are not small. One of two levels
(`types.TwoLevel`) has those of groups and of symbols in them: `two_level`.
"""

from typing import cast

import numpy as np

from . import bits_back, conditionals, spelled, two_level
from .coders.stack import Stack
from .conditionals import Report, silent
from .errors import ChecksumError
from .exact.threads import one_blas_thread
from .lanes import Layout
from .types import ItemMixture, Prior, SpelledPrior, Tokens, TwoLevel
from .watch import Watch, unwatched


def _of_frame(prior: Prior, tokens: int) -> Prior:
    """What codes a frame of so many tokens: of one that spells, the base where the frame is small."""
    return prior.base if isinstance(prior, SpelledPrior) and not prior.is_spelled(tokens) else prior


def encode(prior: Prior, tokens: Tokens, lanes: int, report: Report = silent) -> bytes:
    """Tokens [N] → the coder's bytes. `report(n)` hears how many tokens are done."""
    if isinstance(prior, ItemMixture):
        return bits_back.encode(prior, tokens, lanes, report)
    if isinstance(prior := _of_frame(prior, len(tokens)), SpelledPrior):
        return spelled.encode(prior, tokens, lanes, report)
    if prior.levels:
        return two_level.encode(cast(TwoLevel, prior), tokens, lanes, report)
    return conditionals.encode(prior, tokens, lanes, report)


def decode(prior: Prior, payload: bytes, count: int, lanes: int, watch: Watch = unwatched) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the damage shows; else a checksum must tell."""
    if isinstance(prior, ItemMixture):
        tokens = bits_back.decode(prior, stack := Stack(payload), count, lanes, watch)
        if not stack.is_empty():
            raise ChecksumError("the coded words are damaged: some are left over")
        return tokens
    if isinstance(prior := _of_frame(prior, count), SpelledPrior):
        return spelled.decode(prior, payload, count, lanes, watch)
    if prior.levels:
        return two_level.decode(cast(TwoLevel, prior), payload, count, lanes, watch)
    return conditionals.decode(prior, payload, count, lanes, watch)


def decode_noise(prior: Prior, noise: bytes, count: int, lanes: int = 1, watch: Watch = unwatched) -> Tokens:
    """`count` tokens off a stack of random bits: a sample from the prior, since coding makes uniform bits of samples.

    Raises ChecksumError where the bits are used up."""
    stack = Stack(noise, noise=True)
    if isinstance(prior, ItemMixture):
        return bits_back.decode(prior, stack, count, lanes, watch)
    if isinstance(prior := _of_frame(prior, count), SpelledPrior):
        return spelled.decode(prior, noise, count, lanes, watch)
    with one_blas_thread():
        return conditionals.follow(prior, Layout.of(count, lanes, prior.stride), stack.pop, watch)


def score(prior: Prior, tokens: Tokens, lanes: int = 1, report: Report = silent) -> np.ndarray:
    """−log2 p of each token [N] float64, as `encode` would be charged by an ideal coder."""
    if isinstance(prior, ItemMixture):
        return bits_back.score(prior, tokens, max(lanes, prior.lanes(len(tokens))), report)
    if isinstance(prior := _of_frame(prior, len(tokens)), SpelledPrior):
        return spelled.score(prior, tokens, lanes, report)
    if prior.levels:
        return two_level.score(cast(TwoLevel, prior), tokens, lanes, report)
    return conditionals.score(prior, tokens, lanes, report)


def sample(prior: Prior, count: int, seed: int | None = None, temperature: float = 1.0, lanes: int = 1) -> Tokens:
    """Draw `count` tokens by inverting the cumulative distribution of p^(1/temperature) at u ~ U[0, 1).

    Towards temperature 0 that becomes the likeliest token, one of them at random where several are; 0 itself is
    a ValueError, as is anything below, or no number."""
    if isinstance(prior, ItemMixture):
        return bits_back.sample(prior, count, seed, temperature, lanes)
    if isinstance(prior := _of_frame(prior, count), SpelledPrior):
        return spelled.sample(prior, count, seed, temperature, lanes)
    return conditionals.sample(prior, count, seed, temperature, lanes)
