"""Classes → learners. A class learns as its nearest base with a class method `fit`, or with an entry in a table here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...priors.base import Prior
from ...tokenizers.base import Config, Tokenizer
from ..options import FitOptions, TokenizerOptions
from .base import PriorLearner, TokenizerLearner

if TYPE_CHECKING:
    from ..data.streams import Source

Learner = TypeVar("Learner", PriorLearner, TokenizerLearner)

TORCH = ("torch", "accelerate")
#: "module:class" of tokpress.priors → learner
PRIOR_LEARNERS = {
    "text.mingru:MinGRUPrior": PriorLearner("mingru:fit_mingru", TORCH, warm_start=True),
    "lecture.network:NetworkPrior": PriorLearner("network:fit_network", TORCH, warm_start=True),
    "lecture.hierarchical:HierarchicalPrior": PriorLearner("hierarchical:fit_hierarchical", TORCH),
    "lecture.histogram:HistogramPrior": PriorLearner("counts:fit_histogram"),
    "lecture.logistic_mixture:LogisticMixturePrior": PriorLearner("counts:fit_logistic_mixture"),
    "lecture.bayes_net:BayesNetPrior": PriorLearner("bayes_net:fit_bayes_net"),
    "compose.product:ProductPrior": PriorLearner("members:fit_product"),
    "compose.ensemble:EnsemblePrior": PriorLearner("members:fit_ensemble"),
    "compose.memory:MemoryPrior": PriorLearner("members:refuse_memory"),
    "text.bitwise:BitwisePrior": PriorLearner("members:refuse_bitwise"),
}

#: "module:class" of tokpress.tokenizers → learner
TOKENIZER_LEARNERS = {
    "text.bpe:BPETokenizer": TokenizerLearner("bpe:fit_bpe"),
    "text.listed:ListedTokenizer": TokenizerLearner("listed:fit_list"),
    "pixels.palette:PaletteTokenizer": TokenizerLearner("palette:fit_palette", least_symbols=2),
    "segments:SegmentsTokenizer": TokenizerLearner(
        "segments:fit_segments", takes_settings=True, sized_by="--set parts=NAME,DIR,… (the sum of theirs)"
    ),
    "learned.autoencoder:Autoencoder": TokenizerLearner(
        "autoencoder:fit_autoencoder", takes_settings=True, trains=True, sized_by="--set codes=K"
    ),
    "learned.vq:VQTokenizer": TokenizerLearner(
        "autoencoder:fit_autoencoder", takes_settings=True, trains=True, sized_by="--set codes=K", takes_rate=True
    ),
    "learned.gumbel:GumbelTokenizer": TokenizerLearner(
        "autoencoder:fit_autoencoder", takes_settings=True, trains=True, sized_by="--set codes=K"
    ),
    "learned.fsq:FSQTokenizer": TokenizerLearner(
        "autoencoder:fit_autoencoder",
        takes_settings=True,
        trains=True,
        sized_by="--set levels=L,L,… (as many symbols as their product)",
    ),
}


def prior_learner(cls: type[Prior]) -> PriorLearner | None:
    """The learner of a class of priors; None: such priors learn nothing, and are loaded from settings."""
    return _learner(cls, PriorLearner, PRIOR_LEARNERS, "tokpress.priors.")


def tokenizer_learner(cls: type[Tokenizer]) -> TokenizerLearner | None:
    """The learner of a class of tokenizers; None: such tokenizers learn nothing, and are loaded as they are."""
    return _learner(cls, TokenizerLearner, TOKENIZER_LEARNERS, "tokpress.tokenizers.")


def _learner(cls: type, kind: type[Learner], table: Mapping[str, Learner], package: str) -> Learner | None:
    """The learner (of class `kind`) of the nearest base; `table` has classes of `package`."""
    for base in cls.__mro__:
        if "fit" in vars(base):
            names = [field.name for field in fields(kind) if field.name != "function"]
            return kind(**{name: getattr(cls, name) for name in names if hasattr(cls, name)})
        name = f"{base.__module__}:{base.__qualname__}"
        if name.startswith(package) and (learner := table.get(name.removeprefix(package))):
            return learner
    return None


def fit_prior(
    cls: type[Prior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> Prior:
    """A prior of this class: learned from the sources where it has a learner, else loaded from its settings."""
    learner = prior_learner(cls)
    if learner is None:
        return cls.load(config, {}, tokenizer.vocab_size)
    return learner.fit(cls, sources, tokenizer, config, options)


def fit_tokenizer(cls: type[Tokenizer], paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
    """A tokenizer of this class: learned from the files where it has a learner, else loaded as it is."""
    learner = tokenizer_learner(cls)
    return cls.load(Path(), {}) if learner is None else learner.fit(cls, paths, options)
