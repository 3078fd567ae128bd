"""Count the symbols of a corpus: a histogram, and the mixture of logistics that is likeliest for it."""

import numpy as np
from numpy.typing import NDArray

from ...priors.lecture.histogram import HistogramPrior
from ...priors.lecture.logistic_mixture import LogisticMixturePrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.streams import Source
from ..options import FitOptions

#: tokens counted at a time
COUNTED_AT_ONCE = 1 << 22


def fit_histogram(
    cls: type[HistogramPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> HistogramPrior:
    """Settings: static (default true)."""
    if not settings_of(cls.name, config, cls.defaults)["static"]:
        return cls(tokenizer.vocab_size)
    return cls(tokenizer.vocab_size, symbol_counts(sources, tokenizer.vocab_size))


def fit_logistic_mixture(
    cls: type[LogisticMixturePrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> LogisticMixturePrior:
    """Settings: components. Trains on the counts of the corpus: the likelihood depends on nothing else."""
    from ..nets.mixture import fit_mixture  # imports torch, which a histogram does not need

    components = settings_of(cls.name, config, cls.defaults)["components"]
    counts = symbol_counts(sources, tokenizer.vocab_size)
    return cls(fit_mixture(counts, components), tokenizer.vocab_size)


def symbol_counts(sources: list[Source], symbols: int) -> NDArray[np.int64]:
    """[V]: number of times that each symbol occurs; a source of weight w counts w times."""
    counts = np.zeros(symbols, np.float64)
    for source in sources:
        for at in range(0, len(source.tokens), COUNTED_AT_ONCE):
            part = source.tokens[at : at + COUNTED_AT_ONCE]
            counts += source.weight * np.bincount(part, minlength=symbols)
    return np.rint(counts).astype(np.int64)
