"""The conformance kit over the registry: a prior added by registration is tested without being told."""

import numpy as np
import pytest

from tests import toy  # noqa: F401  registers a prior the way a user would
from tests.models import tiny_models
from tokpress.conformance import check, text_of
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.registry import PRIORS
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.text.bytes import BytesTokenizer

BUILT_IN = tiny_models()


def model_of(name: str) -> Model:
    """The test's own small model where there is one, else the prior as it comes."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    return Model(BytesTokenizer(), PRIORS.find(name).load({}, {}, 256))


@pytest.mark.parametrize("name", sorted({*PRIORS.names(), *BUILT_IN}))
def test_prior(name, tmp_path):
    check(model_of(name), tmp_path)


def test_the_report_names_each_rule(tmp_path):
    """A model by its name or folder; the checks of a prior that steps, and its bits."""
    counts = BUILT_IN["histogram"]
    counts.save(tmp_path / "counts")
    report = check(str(tmp_path / "counts"))
    assert report.model == "counts" and report.bits_per_byte == counts.score(text_of(counts)).bits_per_byte
    assert len(report.checks) == 7 and all(rule in str(report) for rule in report.checks)
    assert "lanes" in report.checks["probabilities are at least 0 and sum to 1"]


def test_a_broken_rule_is_no_report():
    class Unsteady(HistogramPrior):
        def step(self, state, previous, rows=None):
            return super().step(state, previous, rows) * np.float32(2)

    with pytest.raises(AssertionError, match="sum to 1"):
        check(Model(BytesTokenizer(), Unsteady(256)))


def test_registry_names_are_the_components_own():
    for name in PRIORS.names():
        assert PRIORS.find(name).name == name
    assert {"bytes", "nibbles", "bpe"} <= set(TOKENIZERS.names())
