"""The lecture's benchmarks: bits that decode, transforms of pictures, and pages that show what is stored."""

import re

import numpy as np
import pytest

from benchmarks.lecture import auxiliary, scaling, visual_sentences
from benchmarks.lecture.coded import coded, payload_of
from benchmarks.lecture.conditional import NO_TEXT, texts
from benchmarks.registry import REGISTRY, MeasurementError, Setup
from benchmarks.store import Results
from tests.coding import common as coding
from tests.models import tiny_mingru, tiny_network
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer

from .conftest import ROOT

PAGES = ("auxiliary_decoders", "pretraining", "scaling", "text_to_picture", "text_to_sound", "visual_sentences")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_stored_results(name, tmp_path):
    """Written again from them, it is the page in git."""
    pytest.importorskip("matplotlib")
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    REGISTRY[name].report(Results(path, name), Setup(tmp_path, tmp_path, tmp_path))
    page = (tmp_path / "docs" / f"{name}.md").read_text("utf-8")
    assert page == (ROOT / "docs" / f"{name}.md").read_text("utf-8"), f"run python -m benchmarks {name} --report"
    for picture in re.findall(r"!\[.*\]\((.+?)\)", page):
        assert (ROOT / "docs" / picture).is_file()


def test_parts_of_sequences_are_those_of_each_alone():
    model = Model(BytesTokenizer(), tiny_mingru())
    sequences = [np.random.default_rng(seed).bytes(40) for seed in range(3)]
    found = coded(model, sequences)
    alone = [coding.score(model.prior, model.tokenizer.encode(sequence), lanes=1) for sequence in sequences]
    assert np.allclose(found.bits, alone)
    assert found.mean(slice(0, 30)) + found.mean(slice(30, 40)) == pytest.approx(
        np.mean([each.sum() for each in alone])
    )
    assert abs(found.payload_bits - found.bits.sum()) < 64


def test_parts_of_items_stand_in_the_order_of_the_source():
    """Whatever order they are coded in."""
    settings = {"shape": "4x8", "width": 8, "depth": 1}
    items = [np.random.default_rng(seed).bytes(4) for seed in range(5)]
    found = {}
    for order in ("raster", "columns"):
        model = Model(BitsTokenizer(), tiny_network("transformer", {**settings, "order": order}, 2))
        found[order] = coded(model, items).bits
        (expected,) = {len(model.tokenizer.encode(item)) for item in items}
        assert found[order].shape == (5, expected)
    # the first symbol of each order is the same pixel, the one at the top left
    assert np.allclose(found["raster"][:, 0], found["columns"][:, 0])
    assert not np.allclose(found["raster"], found["columns"])


class Drifting(HistogramPrior):
    """Another prior each time that a frame begins, so what it encodes does not come back."""

    def __init__(self):
        super().__init__(256)
        self.begun = 0

    def init(self, lanes, tokens):
        self.begun += 1
        return super().init(lanes, tokens)

    def step(self, state, previous, rows):
        return np.roll(super().step(state, previous, rows), self.begun, 1)


def test_what_does_not_come_back_is_no_result():
    source = b"what is measured comes back" * 4
    payload, tokens = payload_of(Model(BytesTokenizer(), tiny_mingru()), "it", source)
    assert tokens == len(source) and payload
    with pytest.raises(MeasurementError, match="it was not decoded back"):
        payload_of(Model(BytesTokenizer(), Drifting()), "it", source)
    with pytest.raises(MeasurementError):
        coded(Model(BytesTokenizer(), Drifting()), [source, source])


def test_a_power_law_is_told_only_where_it_fits():
    x = [1e3, 1e4, 1e5, 1e6]
    assert "4.00 · x^−0.100" in scaling.law_line("parameters", x, [4 * each**-0.1 for each in x])
    assert "no power law" in scaling.law_line("parameters", x, [3.0, 2.5, 2.4, 2.39])


def test_transforms_of_pictures():
    """Each is its own inverse, no two are the same, and a sequence holds picture after picture."""
    pictures = (
        np.random.default_rng(0).integers(0, 2, (5, visual_sentences.SIDE, visual_sentences.SIDE)).astype(np.uint8)
    )
    made = {name: transform(pictures) for name, transform in visual_sentences.TRANSFORMS.items()}
    for name, transform in visual_sentences.TRANSFORMS.items():
        assert np.array_equal(transform(made[name]), pictures)
    assert len({each.tobytes() for each in [pictures, *made.values()]}) == len(made) + 1
    rows = visual_sentences.sequence([(pictures, made["mirrored"])] * visual_sentences.PAIRS)
    bits = np.unpackbits(rows, axis=1).reshape(5, 2 * visual_sentences.PAIRS, *pictures.shape[1:])
    assert np.array_equal(bits[:, 4], pictures) and np.array_equal(bits[:, 5], made["mirrored"])


def test_texts_have_one_length():
    assert texts([7, 3]) == b"a seven" + b"a three"
    assert len(texts(range(10))) == 10 * len(NO_TEXT)
    assert texts([1, 2, 3], dropped=2) == NO_TEXT + texts([2]) + NO_TEXT


def test_codes_are_packed_as_nibbles():
    assert auxiliary.packed_codes(np.array([1, 2, 15, 0])) == b"\x12\xf0"
    picture = np.packbits(np.ones((1, 784), np.uint8), axis=1)
    assert auxiliary.padded(picture).shape == (1, 32, 32) and auxiliary.padded(picture).sum() == 784
