"""Each class finds its learner: its own `fit`, or the table's for the nearest base, or none."""

import sys
from importlib import import_module

import pytest

from tests.toy import ToyPrior
from tokpress.cli.list import described
from tokpress.errors import TokpressError
from tokpress.priors.lecture.lstm import LSTMPrior
from tokpress.priors.registry import PRIORS
from tokpress.tokenizers.learned.fsq import FSQTokenizer
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.learners.registry import (
    PRIOR_LEARNERS,
    TOKENIZER_LEARNERS,
    fit_prior,
    fit_tokenizer,
    prior_learner,
    tokenizer_learner,
)
from tokpress.training.options import FitOptions, TokenizerOptions

NOTHING_TO_LEARN = {"context_mixing", "linear_prediction"}, {"bytes", "nibbles", "bits", "top_bit"}


@pytest.mark.parametrize(
    ("table", "package"), [(PRIOR_LEARNERS, "tokpress.priors."), (TOKENIZER_LEARNERS, "tokpress.tokenizers.")]
)
def test_tables_name_what_exists(table, package):
    for name, learner in table.items():
        module, cls = name.split(":")
        assert isinstance(getattr(import_module(package + module), cls), type)
        module, function = learner.function.split(":")
        assert callable(getattr(import_module("tokpress.training.learners." + module), function))


def test_built_in_components_without_a_learner():
    priors = [name for name in PRIORS.names() if PRIORS.find(name).__module__.startswith("tokpress.")]
    tokenizers = [name for name in TOKENIZERS.names() if TOKENIZERS.find(name).__module__.startswith("tokpress.")]
    assert {name for name in priors if prior_learner(PRIORS.find(name)) is None} == NOTHING_TO_LEARN[0]
    assert {name for name in tokenizers if tokenizer_learner(TOKENIZERS.find(name)) is None} == NOTHING_TO_LEARN[1]


def test_a_subclass_learns_as_its_base():
    class Mine(LSTMPrior):
        name = "mine"

    class Lattice(FSQTokenizer):
        name = "lattice"

    learner, of_lattice = prior_learner(Mine), tokenizer_learner(Lattice)
    assert learner is PRIOR_LEARNERS["lecture.network:NetworkPrior"] and learner.warm_start
    assert of_lattice is TOKENIZER_LEARNERS["learned.fsq:FSQTokenizer"] and "levels" in of_lattice.sized_by


def test_a_fit_of_its_own_comes_first(tmp_path):
    class Mine(LSTMPrior):
        warm_start = True
        trains_with = ("a_package_that_nobody_has",)

        @classmethod
        def fit(cls, sources, tokenizer, config, options):
            return ToyPrior(len(sources))

    class Words(FSQTokenizer):
        least_symbols = 7

        @classmethod
        def fit(cls, paths, options):
            return BytesTokenizer()

    learner, of_words = prior_learner(Mine), tokenizer_learner(Words)
    assert learner and (learner.function, learner.warm_start) == ("", True)
    with pytest.raises(TokpressError, match="needs a_package_that_nobody_has"):
        fit_prior(Mine, [], BytesTokenizer(), {}, FitOptions(tmp_path))
    Mine.trains_with = ()
    assert fit_prior(Mine, [], BytesTokenizer(), {}, FitOptions(tmp_path)).vocab_size == 0
    assert of_words and (of_words.least_symbols, of_words.trains) == (7, False)
    assert fit_tokenizer(Words, [], TokenizerOptions(256, [])).name == "bytes"


def test_what_learns_nothing_is_loaded(tmp_path):
    assert prior_learner(ToyPrior) is None
    assert fit_prior(ToyPrior, [], BytesTokenizer(), {}, FitOptions(tmp_path)).vocab_size == 256
    assert fit_tokenizer(BytesTokenizer, [], TokenizerOptions(256, [])).name == "bytes"


def test_networks_need_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TokpressError, match="training needs torch, which is not installed"):
        fit_prior(LSTMPrior, [], BytesTokenizer(), {}, FitOptions(tmp_path))


def test_listed_settings_are_those_that_training_takes(tmp_path):
    listed = {name: list(described(name, PRIORS.find(name))["settings"]) for name in PRIORS.names()}
    for name in PRIORS.names():
        cls = PRIORS.find(name)
        if name in ("memory", "bitwise") or prior_learner(cls) is None or not cls.__module__.startswith("tokpress."):
            continue
        with pytest.raises(TokpressError, match="has no setting 'nosuch'") as caught:
            fit_prior(cls, [], BytesTokenizer(), {"nosuch": "1"}, FitOptions(tmp_path))
        taken = str(caught.value).partition("it has: ")[2].partition(" (")[0]
        assert taken.split(", ") == listed[name], name
    for name in TOKENIZERS.names():
        cls = TOKENIZERS.find(name)
        if cls.__module__.startswith("tokpress."):
            learner = tokenizer_learner(cls)
            assert bool(described(name, cls)["settings"]) == bool(learner and learner.takes_settings), name
