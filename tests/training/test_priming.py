"""A primed prior codes short texts in fewer bytes, and is the same wherever it is saved and loaded."""

import numpy as np
import pytest

from tests.models import tiny_class_factored, tiny_mingru
from tokpress.coding import Frame
from tokpress.errors import TokpressError
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.native import library
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.data.streams import Source
from tokpress.training.priming import primed
from tokpress.training.token_order import in_byte_order

pytestmark = pytest.mark.skipif(not library.is_here(), reason="mixing is primed in the core")
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
    "or",
    "had",
    "an",
    "they",
]


def text(seed: int, words: int) -> bytes:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words)).encode()


@pytest.fixture
def source(tmp_path):
    (tmp_path / "tokens").write_bytes(np.frombuffer(text(1, 20000), np.uint8).astype("<u2").tobytes())
    return Source(tmp_path / "tokens")


def cost(prior, data: bytes) -> float:
    tokens = np.frombuffer(data, np.uint8).astype(np.int32)
    return prior.codec(Frame(len(tokens))).score(tokens).sum()


def test_short_texts_become_shorter(source, tmp_path):
    model = Model(BytesTokenizer(), BitwisePrior(MemoryPrior(tiny_class_factored(256, classes=16))))
    prior = primed(model.prior, [source], pieces=60)
    assert cost(prior, text(2, 60)) < 0.9 * cost(model.prior, text(2, 60))
    again = primed(model.prior, [source], pieces=60)
    assert all(np.array_equal(prior.tensors()[name], value) for name, value in again.tensors().items())
    Model(BytesTokenizer(), prior).save(tmp_path / "model")
    loaded = load_folder(tmp_path / "model")
    assert cost(loaded.prior, text(2, 60)) == cost(prior, text(2, 60))


def test_nothing_to_learn_from(source):
    model = Model(BytesTokenizer(), BitwisePrior(MemoryPrior(tiny_class_factored(256, classes=16))))
    assert primed(model.prior, [source], pieces=0) is model.prior and primed(model.prior, [], pieces=9) is model.prior


def test_a_base_that_python_steps(source):
    prior = Model(BytesTokenizer(), BitwisePrior(HistogramPrior(256))).prior
    with pytest.raises(TokpressError, match="the core"):
        primed(prior, [source], pieces=2)


def test_the_order_of_tokens_changes_no_probability():
    """Classes follow their most frequent members, and members their bytes."""
    prior, rng = tiny_class_factored(64, classes=8, online=0.0), np.random.default_rng(5)
    spelled = [bytes(rng.integers(97, 123, 4).tolist()) for _ in range(64)]
    frequency = rng.integers(0, 100, 64)
    ordered = in_byte_order(prior, spelled, frequency)
    tokens = rng.integers(0, 64, 40).astype(np.int32)
    assert np.allclose(prior.codec(Frame(40)).score(tokens), ordered.codec(Frame(40)).score(tokens))
    classes = np.argsort(ordered.tensors()["place"]).reshape(8, 8)
    main = [spelled[members[frequency[members].argmax()]] for members in classes]
    assert main == sorted(main) and all([spelled[v] for v in row] == sorted(spelled[v] for v in row) for row in classes)
    assert {frozenset(row) for row in classes.tolist()} == {
        frozenset(row) for row in np.argsort(prior.tensors()["place"]).reshape(8, 8).tolist()
    }
    plain = tiny_mingru(64)
    assert in_byte_order(plain, spelled, frequency) is plain
