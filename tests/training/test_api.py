"""Training from Python: the same models as the command line, from files and from data in memory."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import tokpress
import tokpress.tokenizers
from tests.training.command import prose, run
from tokpress.errors import CorpusError, ModelError, TokpressError
from tokpress.training import train, train_tokenizer


def documents(corpus: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(corpus.iterdir())]


def test_a_prior_as_the_command_line_trains_it(corpus):
    run("train", "prior", corpus, "-o", "m", "--prior", "histogram", "--tokenizer", "bpe", "--vocab-size", 300, "-q")
    options = {"prior": "histogram", "tokenizer": "bpe", "vocab_size": 300}
    models = [train(corpus, **options), train([str(corpus)], "n", **options), train(documents(corpus), **options)]
    assert {model.id for model in models} == {tokpress.load("m/").id} == {tokpress.load("n/").id}
    data = prose(400, 7)
    assert tokpress.decompress(tokpress.compress(data, model=models[2]), model=models[2]) == data


def test_a_tokenizer_as_the_command_line_trains_it(corpus):
    for kind in ("bpe", "words", "chars"):
        run("train", "tokenizer", corpus, "-o", kind, "--kind", kind, "--vocab-size", 290, "-q")
        tokens = list(tokpress.tokenizers.load(kind + "/").encode(prose(300, 5)))
        for source in (corpus, documents(corpus)):
            assert list(tokpress.tokenizers.train(kind, source, vocab_size=290).encode(prose(300, 5))) == tokens
    assert not [path for path in Path().iterdir() if path.name.startswith("tokpress-corpus")]


def test_a_prior_in_the_folder_of_its_tokenizer(corpus):
    tokpress.tokenizers.train("bpe", corpus, "both", vocab_size=280)
    assert train(corpus, "both", prior="histogram").tokenizer.vocab_size == 280
    with pytest.raises(TokpressError, match="holds a model"):
        train(corpus, "both", prior="histogram")
    assert train(corpus, "both", prior="histogram", tokenizer="bytes", force=True).tokenizer.name == "bytes"


def test_a_tokenizer_is_replaced_only_if_asked(corpus):
    tokpress.tokenizers.train("bpe", corpus, "t", vocab_size=280)
    for again in (partial(tokpress.tokenizers.train, "chars"), partial(train, prior="histogram", tokenizer="bytes")):
        with pytest.raises(ModelError, match=r"t holds a tokenizer: .*, or replace it with -f \(force=True\)"):
            again(corpus, "t")
        assert tokpress.tokenizers.load("t").name == "bpe"
    tokpress.tokenizers.train("chars", corpus, "t", vocab_size=280, force=True)
    assert tokpress.tokenizers.load("t").name == "chars"
    run("train", "tokenizer", corpus, "-o", "t", "--vocab-size", 280, "-q", code=1)
    run("train", "tokenizer", corpus, "-o", "t", "--vocab-size", 280, "-q", "-f")
    train(corpus, "t", prior="histogram", tokenizer="t")  # its own
    assert tokpress.load("t/").tokenizer.vocab_size == 280


def test_a_palette_of_arrays_and_pictures(corpus):
    images = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).choice(np.array([[0, 0, 0], [250, 0, 9], [9, 9, 200]], np.uint8), (12, 10))
    palettes = [
        tokpress.tokenizers.train("palette", [each], vocab_size=3) for each in (pixels, images.fromarray(pixels))
    ]
    for palette in palettes:
        assert np.array_equal(palette.decode_array(palette.encode(pixels)), pixels)


@pytest.mark.parametrize("of", ["pictures", "items"])
def test_an_autoencoder_of_arrays(corpus, of):
    pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    shape = (24, 30, 3) if of == "pictures" else (40, 8, 8, 3)
    arrays = [rng.integers(0, 256, shape, np.uint8) for _ in range(4 if of == "pictures" else 1)]
    settings = {"shape": "8x8x3", "width": 16, "depth": 1, "codes": 16}
    vq = tokpress.tokenizers.train("vq", arrays, "t", settings=settings, max_steps=3, rows=4, precision="fp32")
    assert vq.decode_array(vq.encode(arrays[0])).shape == shape
    assert list(tokpress.tokenizers.load("t/").encode(arrays[0])) == list(vq.encode(arrays[0]))
    assert Path("t/reconstructions.png").read_bytes()[:4] == b"\x89PNG"
    assert "(reconstructions.png)" in Path("t/README.md").read_text("utf-8")
    prior = train(arrays, tokenizer="t", prior="histogram")
    assert prior.tokenizer.name == "vq"


def test_sound_in_memory(corpus):
    wave = (8000 * np.sin(np.arange(3000) / 9)).astype(np.int16)
    settings = {"shape": "64", "width": 16, "depth": 1, "codes": 16}
    tokenizer = tokpress.tokenizers.train("audio_rvq", [wave, wave[:, None]], settings=settings, max_steps=2, rows=4)
    assert tokenizer.decode_array(tokenizer.encode(wave)).shape == (3000, 1)


def test_numbers_are_those_of_the_options(corpus):
    class Steps:
        def __init__(self):
            self.phases, self.steps = [], 0

        def phase(self, name):
            self.phases.append(name)

        def note(self, message):
            pass

        def bytes(self, done, total):
            pass

        def step(self, progress):
            self.steps = progress.step

        def stop(self):
            return False

    pytest.importorskip("accelerate")
    watcher = Steps()
    settings = {"width": 32, "depth": 1, "hidden": 32}
    model = train(
        corpus, prior="mingru", settings=settings, memory=False, max_steps=2, rows=2, window=16, watcher=watcher
    )
    assert watcher.steps == 2 and "Tokenizing" in watcher.phases and model.prior.name == "mingru"


def test_mistakes_are_told(corpus):
    for given, told in (
        (["nowhere"], "nowhere does not exist"),
        ([b"a text", "a.txt"], r"give one or the other; a text is given as text\.encode"),
        ([3], "int is no document"),
        ([], "nothing to train on"),
        ([b""], "nothing to train on"),
    ):
        with pytest.raises(CorpusError, match=told):
            train(given, prior="histogram")
    with pytest.raises(TokpressError, match="either prior or preset"):
        train(corpus, prior="histogram", preset="small")
    with pytest.raises(TokpressError, match="no preset 'smal'"):
        train(corpus, preset="smal")
    with pytest.raises(TokpressError, match="give output"):
        train(corpus, prior="histogram", resume=True)
    with pytest.raises(TokpressError, match="always has 256 symbols"):
        train(corpus, prior="histogram", tokenizer="bytes", vocab_size=300)
    with pytest.raises(CorpusError, match="not of 3 channels of 8 bits"):
        train_tokenizer("palette", [np.zeros((4, 4), np.uint8)])


@pytest.mark.parametrize("wrong", [
    {"max_steps": 0}, {"max_steps": -1}, {"max_minutes": -1.0}, {"rows": 0}, {"learning_rate": float("nan")}, {"window": 0},
])  # fmt: skip
def test_limits_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        train([b"a record\n" * 50], prior="mingru", tokenizer="bytes", **wrong)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"foo": 1}, "no argument is called 'foo'; beside the others there are: max_minutes"),
        ({"settings": "x"}, "a mapping of names to values, not str"),
        ({"vocab_size": "300"}, "a whole number, not str"),
        ({"vocab_size": 0}, "vocab_size=0 should be at least 1"),
    ],
)
def test_arguments_of_another_kind(arguments, message):
    for function in (partial(train, prior="histogram"), partial(train_tokenizer, "bpe")):
        with pytest.raises((TypeError, TokpressError), match=message):
            function(corpus=[b"a text"], **arguments)
    with pytest.raises(TypeError, match="rate must be a number, not str"):
        train_tokenizer("vq", [b"a text"], rate="0.1")


def test_weights_from_an_iterator(tmp_path):
    """They are read once, and count as those of a list."""
    for name, letter in (("some", b"a"), ("others", b"z")):
        (tmp_path / name).write_bytes(100 * letter)
    weights = [("some", 1.0), ("others", np.float64(9))]
    once, listed = (train([tmp_path], prior="histogram", weights=given) for given in (iter(weights), weights))
    assert once.id == listed.id != train([tmp_path], prior="histogram").id
