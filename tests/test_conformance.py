"""The conformance kit over the registry: a prior added by registration is tested without being told."""

import pytest

from tests import toy  # noqa: F401  registers a prior the way a user would
from tests.models import tiny_models
from tokpress.conformance import check
from tokpress.models.model import Model
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


def test_registry_names_are_the_components_own():
    for name in PRIORS.names():
        assert PRIORS.find(name).name == name
    assert {"bytes", "nibbles", "bpe"} <= set(TOKENIZERS.names())
