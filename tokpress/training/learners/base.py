"""The contract of learning from a corpus.

    corpus ──TokenizerLearner.fit──► tokenizer ──pack_tokens──► sources ──PriorLearner.fit──► prior

Tokenizers and priors know nothing of training. `registry.py` finds the learner of a class; a class with a class method `fit`
(`LearnsFromCorpus`, `LearnsVocabulary`) is asked itself. Nothing heavy is imported here: the command line asks learners too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...errors import TokpressError
from ...priors.base import Prior
from ...tokenizers.base import Config, Tokenizer
from ..options import FitOptions, TokenizerOptions

if TYPE_CHECKING:
    from ..data.streams import Source

NEEDS_PACKAGE = 'training needs {name}, which is not installed: pip install "tokpress[train]"'


class LearnsFromCorpus(Protocol):
    """A prior that learns by a class method of its own.

    Class attributes named as the fields of `PriorLearner` (`trains_with`, `warm_start`) replace their defaults."""

    @classmethod
    def fit(cls, sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions) -> Prior:
        """Learn from a corpus: what `tokpress train prior --prior NAME --set key=value…` calls.

        sources: packed token files; `source.tokens` [N] uint16 to learn from, `source.weight` its share per
        token, `source.validation` never to be learned from. config: the --set settings, whose values may be
        text (`settings_of` checks them). options: limits, seed, a folder for checkpoints, `report`, `stop`."""


class LearnsVocabulary(Protocol):
    """A tokenizer that learns by a class method of its own.

    Class attributes named as the fields of `TokenizerLearner` (`sized_by`, `trains` …) replace their defaults."""

    @classmethod
    def fit(cls, paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
        """Learn from a corpus: what `tokpress train tokenizer --kind NAME` calls."""


@dataclass(frozen=True)
class PriorLearner:
    """How the priors of a class learn."""

    #: "module:function" of this package, imported at its first call; empty: the class method `fit` of the prior
    function: str = ""
    #: packages that learning imports and that may not be installed; asked for before a tokenizer is trained
    trains_with: tuple[str, ...] = ()
    #: whether learning can go on from `options.init`, a trained prior of the same class (`tokpress train --init`)
    warm_start: bool = False

    def require_packages(self) -> None:
        """Raises TokpressError where a package of `trains_with` is not installed."""
        for package in self.trains_with:
            if find_spec(package) is None:
                raise TokpressError(NEEDS_PACKAGE.format(name=package))

    def fit(
        self, cls: type[Prior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
    ) -> Prior:
        """A prior of this class that has learned from the sources; arguments as in `LearnsFromCorpus.fit`."""
        self.require_packages()
        if not self.function:
            return cast(LearnsFromCorpus, cls).fit(sources, tokenizer, config, options)
        learned: Prior = _imported(self.function)(cls, sources, tokenizer, config, options)
        return learned


@dataclass(frozen=True)
class TokenizerLearner:
    """How the tokenizers of a class learn."""

    #: "module:function" of this package, imported at its first call; empty: the class method `fit` of the tokenizer
    function: str = ""
    #: whether it has settings (`train tokenizer --set`)
    takes_settings: bool = False
    #: whether learning is a training run, with limits, settings and checkpoints
    trains: bool = False
    #: the option that decides the number of symbols
    sized_by: str = "--vocab-size V"
    #: smallest --vocab-size; the default is for tokenizers that have the 256 bytes
    least_symbols: int = 256

    def fit(self, cls: type[Tokenizer], paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
        """A tokenizer of this class that has learned from the files."""
        if not self.function:
            return cast(LearnsVocabulary, cls).fit(paths, options)
        learned: Tokenizer = _imported(self.function)(cls, paths, options)
        return learned


def _imported(name: str) -> Callable[..., Any]:
    module, function = name.split(":")
    found: Callable[..., Any] = getattr(import_module(f".{module}", __package__), function)
    return found
