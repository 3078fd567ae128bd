"""The likeliest tokens of a model: of the probabilities that its tokens are coded with, where it has these."""

import numpy as np
import pytest

from tests.models import tiny_models
from tokpress.errors import TokpressError
from tokpress.models.likeliest import Likeliest, likeliest
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

SOURCE = b"again and again, the same words: again and again\n" * 3
#: models that code tokens with probabilities of tokens: one by one, and by classes
CODED = ["memory-histogram", "product", "mingru-class_factored", "memory-class_factored"]


@pytest.fixture(scope="module")
def models():
    return tiny_models()


def check(found: Likeliest, bits) -> None:
    """With all 256 symbols: the probability of each token is that of its bits."""
    assert found.p.shape == (len(bits), 256) and not found.before_mixing
    assert (np.diff(found.p, axis=1) <= 0).all() and np.allclose(found.p.sum(1), 1)
    rows, columns = np.nonzero(found.likeliest == found.symbols[:, None])
    assert np.array_equal(rows, np.arange(len(bits)))
    assert np.allclose(-np.log2(found.p[rows, columns]), bits, atol=1e-4)


@pytest.mark.parametrize("kernel", ["auto", "numpy"])
@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("name", CODED)
def test_tokens_are_coded_with_these_probabilities(models, name, lanes, kernel):
    model = models[name]
    for count in (1, 60, 10**6):
        found = likeliest(model, SOURCE, count, 256, lanes, kernel=kernel)
        check(found, model.score(SOURCE, lanes, kernel=kernel).bits[:count])
        assert bytes(found.symbols.astype(np.uint8)) == SOURCE[:count] and found.names[ord("a")] == b"a"


def test_after_a_context(models):
    model = models["memory-class_factored"]
    found = likeliest(model, SOURCE, 50, 256, context=b"again and again")
    check(found, model.score(SOURCE, context=b"again and again").bits[:50])


def test_the_likeliest_five_of_all():
    model = Model(BytesTokenizer(), MemoryPrior(HistogramPrior(256)))
    five, all_of_them = likeliest(model, SOURCE, 60), likeliest(model, SOURCE, 60, 256)
    assert np.array_equal(five.p, all_of_them.p[:, :5])
    assert five.likeliest[-1].tolist() == all_of_them.likeliest[-1, :5].tolist()
    assert set(five.names) == {*five.likeliest.reshape(-1).tolist(), *SOURCE[:60]}
    assert likeliest(model, b"", 10).p.shape == (0, 5) and likeliest(model, b"ab", 10, best=300).p.shape == (2, 256)


def test_before_mixing(models):
    """In one lane, of the first tokens alone."""
    model = models["bitwise"]
    found = likeliest(model, SOURCE, 40, 256, lanes=4)
    of_base = likeliest(Model(model.tokenizer, model.prior.base), SOURCE[:40], 40, 256)
    assert found.before_mixing and not of_base.before_mixing
    assert np.array_equal(found.likeliest, of_base.likeliest) and np.array_equal(found.p, of_base.p)


@pytest.mark.parametrize("name", ["context_mixing", "linear_prediction", "bayes_net", "pixelcnn"])
def test_bits_samples_and_items_have_none(models, name):
    assert likeliest(models[name], SOURCE, 10) is None


@pytest.mark.parametrize("name", CODED)
def test_next_tokens_are_those_of_the_next_position(models, name):
    """Whatever follows, and the same that a source with one token more is coded with."""
    model, context = models[name], SOURCE[:40]
    found = model.next_tokens(context, top=256)
    assert [token.token for token in found] == likeliest(model, b"\xff", 1, 256, context=context).likeliest[0].tolist()
    assert found[0].data == bytes([found[0].token]) and abs(sum(token.p for token in found) - 1) < 1e-6
    assert [token.token for token in model.next_tokens(context, 3)] == [token.token for token in found[:3]]
    assert len(model.next_tokens(b"", 7)) == 7
    bits = {token.data: -np.log2(token.p) for token in found}
    assert np.allclose(bits[SOURCE[40:41]], model.score(SOURCE[40:41], context=context).bits, atol=1e-4)


def test_no_next_tokens_of_bits(models):
    with pytest.raises(TokpressError, match="no probabilities of tokens"):
        models["context_mixing"].next_tokens(b"again")
