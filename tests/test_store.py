"""Models are found by name, by folder and by id; one that is broken is nobody else's trouble."""

import json
import os

import numpy as np
import pytest

import tokpress
from tests.models import tiny_mingru, tiny_models
from tests.observe import calls_of
from tokpress.errors import ModelError, ModelMismatchError, TokpressError
from tokpress.models import store
from tokpress.models.folder import identity
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

TEXT = b"aaaabbbc" * 50


def histogram(seed: int) -> Model:
    return Model(
        BytesTokenizer(), HistogramPrior(256, np.bincount(np.frombuffer(TEXT, np.uint8), minlength=256) + seed)
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name, seed in (("first", 1), ("last", 2)):
        histogram(seed).save(tmp_path / name)
    monkeypatch.setenv("TOKPRESS_MODELS", str(tmp_path))
    return tmp_path


def break_in_every_way(place) -> list[str]:
    """Folders that come before, between and after the sound ones."""
    contents = {"0-empty": "", "a-list": "[1]", "b-text": "no JSON", "g-object": "{}", "z-number": "7"}
    contents["h-unknown"] = json.dumps({"format": 1, "exact_profile": 1, "tokenizer": {"name": "?"}, "prior": {}})
    contents["i-newer"] = json.dumps({"format": 99, "exact_profile": 1, "tokenizer": {}, "prior": {}})
    for name, text in contents.items():
        (place / name).mkdir()
        (place / name / "config.json").write_text(text)
    (place / "k-bytes").mkdir()
    (place / "k-bytes" / "config.json").write_bytes(b"\xff\xfe")
    (place / "m-folder" / "config.json").mkdir(parents=True)
    (place / "n-circle").mkdir()
    os.symlink("config.json", place / "n-circle" / "config.json")
    histogram(3).save(place / "o-tensors")
    (place / "o-tensors" / "model.safetensors").unlink()
    (place / "o-tensors" / "model.safetensors").mkdir()
    (place / "p-deep").mkdir()
    (place / "p-deep" / "config.json").write_text("[" * 100_000)
    return sorted(set(os.listdir(place)) - {"first", "last"})


@pytest.mark.filterwarnings("ignore:.*not a valid model directory")
def test_broken_folders_are_passed_over(place):
    broken = break_in_every_way(place)
    for name in ("first", "last"):
        model = load_folder(place / name)
        assert store.by_id(model.id, []).id == model.id
        assert tokpress.decompress(tokpress.compress(TEXT, model=model)) == TEXT
    with pytest.raises(ModelMismatchError, match=r"no list names it: .* tokpress models --fetch 6e6f6e65"):
        store.by_id(b"none", [])
    for name in broken:
        with pytest.raises(TokpressError):
            load_folder(place / name)


def test_a_broken_folder_is_warned_about(place):
    (place / "broken").mkdir()
    (place / "broken" / "config.json").write_text("{")
    with pytest.warns(UserWarning, match=r"broken is not a valid model directory, skipped: .*Expecting property name"):
        store.by_id(load_folder(place / "last").id, [])


def test_the_model_that_is_needed_says_what_is_wrong_with_it(place):
    """Its files are there, and hash to the id, but cannot be opened."""
    config = json.loads((place / "first" / "config.json").read_text())
    config["prior"]["name"] = "of tomorrow"
    (place / "first" / "config.json").write_text(json.dumps(config))
    with pytest.raises(tokpress.UnknownComponentError, match="of tomorrow"):
        store.by_id(identity(place / "first"), [])


def test_looking_for_an_id_opens_no_other_model(place):
    id = load_folder(place / "last").id
    with calls_of(load_folder, lambda arguments: arguments["folder"]) as opened:
        store.by_id(id, [])
    assert opened == [place / "last"]


def test_a_model_that_changes_is_read_again(place):
    first = tokpress.load(place / "first").id
    histogram(9).save(place / "first")
    os.utime(place / "first" / "config.json", ns=(1, 1))
    again = tokpress.load(place / "first").id
    assert again != first and store.by_id(again, []).id == again


def test_what_a_config_may_hold(place):
    """Settings of the wrong kind or size: an error of ours, whatever they are."""
    path = place / "first" / "config.json"
    good = json.loads(path.read_text())
    odd = [None, -1, 10**30, 1.5, "text", [], [1], {}, {"name": "bytes"}, {"name": 3}, {"name": ["bytes"]}, True]
    for key in ("format", "exact_profile", "tokenizer", "prior"):
        for value in [*odd, "absent"]:
            if good[key] == value or (key, value) in (
                ("tokenizer", {"name": "bytes"}),
                ("format", True),
                ("exact_profile", True),
            ):
                continue
            changed = {k: v for k, v in good.items() if k != key} if value == "absent" else good | {key: value}
            path.write_text(json.dumps(changed))
            with pytest.raises(tokpress.TokpressError):
                load_folder(place / "first")


def test_a_model_keeps_its_card_and_says_what_it_is(tmp_path):
    histogram(1).save(tmp_path / "first", card="# é\n")
    model = tokpress.load(tmp_path / "first")
    assert repr(model) == f"<Model 'first': bytes tokenizer, histogram prior, id {model.id.hex()}>"
    assert repr(histogram(1)) == "<Model: bytes tokenizer, histogram prior>"
    model.save(tmp_path / "again")
    assert (tmp_path / "again" / "README.md").read_text("utf-8") == "# é\n"


def test_the_weights_may_be_read_by_whoever_may_read_the_rest(tmp_path):
    before = os.umask(0o022)
    try:
        histogram(1).save(tmp_path / "made")
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o644}


def test_one_model_or_several_to_decompress_with(tmp_path):
    histogram(1).save(tmp_path / "first")
    source = np.random.default_rng(0).choice(np.frombuffer(TEXT, np.uint8), 200).tobytes()  # nothing for lzma
    packed = tokpress.compress(source, model=histogram(1))
    assert tokpress.decompress(packed, model=str(tmp_path / "first")) == source
    assert tokpress.decompress(packed, models=[histogram(2), histogram(1)]) == source
    with pytest.raises(ModelMismatchError):
        tokpress.decompress(packed)


def test_a_prior_nobody_registered_is_looked_for_with_import(tmp_path):
    histogram(1).save(tmp_path / "made")
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    config["prior"]["name"] = "nobodys"
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        TokpressError, match="a newer tokpress may have it, and one of your own is found with --import FILE"
    ):
        load_folder(tmp_path / "made")


@pytest.mark.parametrize(
    ("key", "value"), [("depth", 0), ("depth", -1), ("depth", 1.5), ("width", True), ("hidden", 10**9)]
)
def test_sizes_of_a_network_are_whole_numbers_in_bounds(tmp_path, key, value):
    Model(BytesTokenizer(), tiny_mingru()).save(tmp_path / "made")
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    config["prior"][key] = value
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=key):
        load_folder(tmp_path / "made")


@pytest.mark.parametrize("name", ["mingru", "pixelcnn"])
def test_what_is_no_number_is_refused(name):
    """To make an integer of it gives one thing here and another there."""
    prior = tiny_models()[name].prior
    tensors = {k: v.copy() for k, v in prior.tensors().items()}
    for key, value in tensors.items():
        if value.dtype == np.float32:
            with pytest.raises(ModelError, match="no number"):
                broken = value.copy()
                broken.flat[-1] = np.nan
                type(prior).load(prior.config(), tensors | {key: broken}, prior.vocab_size)


def test_memories_in_memories_without_end(tmp_path):
    histogram(1).save(tmp_path / "made")
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    for _ in range(900):
        config["prior"] = {"name": "memory", "orders": [1], "base": config["prior"]}
    (tmp_path / "made" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        load_folder(tmp_path / "made")


def test_a_model_in_the_place_of_another(place):
    """Nothing of the one that was there is left: its weights would be part of the new one's identity, its card would tell lies."""
    histogram(4).save(place / "first", card="# Counted")
    (place / "first" / "training_curve.json").write_text("[]")
    empty = Model(BytesTokenizer(), HistogramPrior(256))
    empty.save(place / "first")
    assert os.listdir(place / "first") == ["config.json"]
    assert load_folder(place / "first").id == empty.id


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "", "a/b", "\ud800"])
def test_names_that_are_no_names(name):
    with pytest.raises(ModelError, match=r"no model called|no model directory"):
        store.load(name)  # tokpress.load asks the Hub for a/b


def test_another_file_in_the_place_of_a_model(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(ModelError, match="is no model directory"):
        histogram(1).save(tmp_path / "file")
    with pytest.raises(ModelError):
        load_folder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "here"


def test_a_model_whose_weights_change_is_read_again(place):
    """Not only one whose config does."""
    first, times = tokpress.load(place / "first").id, (place / "first" / "config.json").stat()
    histogram(9).save(place / "other")
    os.replace(place / "other" / "model.safetensors", place / "first" / "model.safetensors")
    os.utime(place / "first" / "config.json", ns=(times.st_atime_ns, times.st_mtime_ns))
    again = tokpress.load(place / "first").id
    assert again != first and store.by_id(again, []).id == again
