"""The contract of learning from a corpus.

    corpus ──TokenizerLearner.fit──► tokenizer ──pack_tokens──► sources ──PriorLearner.fit──► prior

Tokenizers and priors do not depend on training. `registry.py` finds the learner of a class; a class with a class method `fit`
(`LearnsFromCorpus`, `LearnsVocabulary`) learns by that. Nothing heavy is imported here: the command line uses learners too.
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
    """A prior that learns by a class method.

    Class attributes with the names of fields of `PriorLearner` (`trains_with`, `warm_start`) replace the defaults."""

    @classmethod
    def fit(cls, sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions) -> Prior:
        """Learn from a corpus: `tokpress train prior --prior NAME --set key=value…` calls this.

        sources: packed token files. `source.tokens` [N] uint16 is to learn from, `source.validation` is held out, and
        `source.weight` is the share of each token in the training draws. config: the --set settings, whose values may be text
        (`settings_of` checks them). options: limits, seed, a folder for checkpoints, `report`, `stop`."""


class LearnsVocabulary(Protocol):
    """A tokenizer that learns by a class method.

    Class attributes with the names of fields of `TokenizerLearner` (`sized_by`, `trains` …) replace the defaults."""

    @classmethod
    def fit(cls, paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
        """Learn from a corpus: `tokpress train tokenizer --kind NAME` calls this."""


@dataclass(frozen=True)
class PriorLearner:
    """How the priors of a class learn."""

    #: "module:function" of this package, imported at its first call; empty: the class method `fit` of the prior
    function: str = ""
    #: optional packages that learning imports; a run checks them before it trains a tokenizer
    trains_with: tuple[str, ...] = ()
    #: whether learning can start from `options.init`, a trained prior of the same class (`tokpress train --init`)
    warm_start: bool = False

    def require_packages(self) -> None:
        """Raises TokpressError where a package of `trains_with` is not installed."""
        for package in self.trains_with:
            if find_spec(package) is None:
                raise TokpressError(NEEDS_PACKAGE.format(name=package))

    def fit(
        self, cls: type[Prior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
    ) -> Prior:
        """Learn a prior of this class from the sources; arguments as in `LearnsFromCorpus.fit`."""
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
    #: whether the tokenizer has settings (`train tokenizer --set`)
    takes_settings: bool = False
    #: whether learning is a training run, with limits, settings and checkpoints
    trains: bool = False
    #: the option that sets the number of symbols
    sized_by: str = "--vocab-size V"
    #: smallest --vocab-size; by default the 256 bytes
    least_symbols: int = 256
    #: whether the choice of codes can weigh their bits (`train tokenizer --rate`)
    takes_rate: bool = False

    def fit(self, cls: type[Tokenizer], paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
        """Learn a tokenizer of this class from the files."""
        if not self.function:
            return cast(LearnsVocabulary, cls).fit(paths, options)
        learned: Tokenizer = _imported(self.function)(cls, paths, options)
        return learned


def _imported(name: str) -> Callable[..., Any]:
    module, attribute = name.split(":")
    function: Callable[..., Any] = getattr(import_module(f".{module}", __package__), attribute)
    return function
