"""Wrong arguments from Python: an error of one sentence that names them, never one from inside Python or numpy."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import tokpress
import tokpress.conformance
import tokpress.tokenizers
from tokpress.arguments import MAX_WHOLE, several, whole

NO_BYTES = r"^(NoneType|int|list|float) object has no bytes: give bytes"
NO_MODEL = "^a model is given as a Model, its name or its directory, not (NoneType|float|list|bytes)"


@pytest.fixture(scope="module")
def model():
    return tokpress.load("context-mixing")


@pytest.fixture(scope="module")
def processor():
    return tokpress.tokenizers.load("bytes")


@pytest.mark.parametrize("wrong", [None, 5, ["a"], 1.5])
def test_what_has_no_bytes(model, wrong):
    calls = [
        tokpress.compress, tokpress.decompress, tokpress.Context, model.score, model.next_tokens, tokpress.TokpressCompressor().compress,
        tokpress.TokpressDecompressor().decompress, lambda data: model.sample_bits(1, data),
        lambda data: tokpress.compress(b"a", context=5 if data is None else data),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match=NO_BYTES):
            call(wrong)


@pytest.mark.parametrize("wrong", [1.5, ["text"], b"text"])
def test_what_names_no_model(wrong):
    calls = [
        tokpress.load, tokpress.conformance.check, lambda name: tokpress.compress(b"a", model=name),
        lambda name: tokpress.decompress(b"", model=name), lambda name: tokpress.decompress(b"", models=[name]),
        lambda name: tokpress.training.train([b"a"], prior="histogram", init=name),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match=NO_MODEL):
            call(wrong)
    with pytest.raises(TypeError, match=NO_MODEL):
        tokpress.load(None)
    with pytest.raises(TypeError, match=r"^name_or_folder must be a path, not "):
        tokpress.Model.from_pretrained(wrong)


@pytest.mark.parametrize("wrong", ["text", b"text", Path("text"), 5])
def test_one_in_place_of_several(processor, wrong):
    for call in (lambda one: tokpress.decompress(b"", models=one), processor.encode_batch, processor.decode_batch):
        with pytest.raises(TypeError, match=r" must be a list, not (str|bytes|PosixPath|WindowsPath|int)$"):
            call(wrong)


@pytest.mark.parametrize("wrong", ["5", 1.5, None, 10**30])
def test_what_is_no_whole_number(model, processor, wrong):
    kind, match = (
        (ValueError, "is out of range") if isinstance(wrong, int) else (TypeError, "must be a whole number, not")
    )
    calls = [
        model.sample, lambda count: model.sample_bits(count, b"a" * 99), lambda top: model.next_tokens(b"a", top), processor.token_bytes,
        lambda length: tokpress.TokpressDecompressor().decompress(b"", length),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(kind, match=match):
            call(wrong)
    if isinstance(wrong, str | float):
        for call in (lambda seed: model.sample(1, seed), lambda lanes: tokpress.compress(b"a", lanes=lanes)):
            with pytest.raises(TypeError, match=match):
                call(wrong)


def test_numbers_that_are_too_small(model):
    for call in (lambda: model.sample(-1), lambda: model.sample(1, seed=-1), lambda: model.sample(1, temperature="1")):
        with pytest.raises(
            ValueError, match=r"(give 0 or more|seed must be 0 or more, not -1|must be a number above 0, not '1')$"
        ):
            call()


def test_numbers_of_numpy_are_numbers(model):
    assert model.sample(np.int64(5), np.uint8(3), np.float32(1)) == model.sample(5, 3)
    assert whole("size", MAX_WHOLE) == MAX_WHOLE and several("arrays", np.zeros(2)) == [0, 0]


@pytest.mark.parametrize("wrong", [None, 5, b"place", ["place"]])
def test_what_is_no_path(model, processor, wrong):
    calls = [processor.save, processor.export, model.save, model.save_pretrained, tokpress.tokenizers.load]
    if wrong is not None:
        train = partial(tokpress.training.train, [b"aa"], prior="histogram")
        calls += [lambda place, name=name: train(**{name: place}) for name in ("tokenizer", "output", "given")]
    for call in calls:
        with pytest.raises(TypeError, match=r" must be a path, not (NoneType|int|bytes|list)$"):
            call(wrong)


def test_an_export_makes_its_folder(processor, tmp_path):
    processor.export(tmp_path / "new" / "tokenizer.json")
    assert tokpress.tokenizers.load(tmp_path / "new").vocab_size >= 256
    with pytest.raises(tokpress.TokpressError, match="new is a folder: name the file, such as "):
        processor.export(tmp_path / "new")


def test_names_of_components():
    for call in (tokpress.training.train_tokenizer, lambda kind, corpus: tokpress.training.train(corpus, prior=kind)):
        for wrong in (5, ["bpe"]):
            with pytest.raises(TypeError, match=r"is given by its name, not (int|list)"):
                call(wrong, [b"aa"])
    with pytest.raises(tokpress.TokpressError, match="there is no preset"):
        tokpress.training.train([b"aa"], preset=["text"])
    with pytest.raises(TypeError, match=r"@register_prior\('NAME'\), not type"):
        tokpress.register_prior(object)  # a decorator without its brackets


def test_a_corpus_and_its_weights():
    for wrong in (None, 5):
        with pytest.raises(TypeError, match="the documents of a corpus must be a list"):
            tokpress.training.train(wrong, prior="histogram")
    for wrong in ("novels*", ["novels*"], [("novels*",)], [("novels*", "2")], None):
        with pytest.raises(
            TypeError, match=r"(weights must be a list|a weight is a pair of a pattern and a factor, such as)"
        ):
            tokpress.training.train([b"aa"], prior="histogram", weights=wrong)
    with pytest.raises(ValueError, match="should have a factor above 0"):
        tokpress.training.train([b"aa"], prior="histogram", weights=[("novels*", -1)])


def test_modes_and_files():
    with pytest.raises(TypeError, match="mode is a str such as 'rb' or 'wt', not int"):
        tokpress.open("a.tokp", 5)
    with pytest.raises(TypeError, match="is no file to read"):
        tokpress.open(None)
