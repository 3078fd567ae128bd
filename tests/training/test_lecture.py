"""`tokpress train prior` of the lecture's priors, on pictures and on text: from the corpus to a file and back."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.command import round_trip, run, usable

pytestmark = pytest.mark.usefixtures("corpus")


def images(count: int, seed: int, side: int = 6) -> np.ndarray:
    """Black pictures [count, side, side] with one white bar each, across or upright."""
    rng = np.random.default_rng(seed)
    out = np.zeros((count, side, side), np.uint8)
    for picture, at, upright in zip(out, rng.integers(side, size=count), rng.integers(2, size=count)):
        (picture.T if upright else picture)[at] = 1
    return out


@pytest.mark.parametrize(
    ("prior", "settings"),
    [
        ("made", {"width": 4}),
        ("causal_conv", {"width": 16, "kernel": 7}),
        ("wavenet", {"width": 16, "longest": 8}),
        ("lstm", {"width": 16}),
        ("pixelcnn", {"width": 16, "depth": 2}),
        ("gated_pixelcnn", {"width": 16, "depth": 2}),
        ("transformer", {"width": 16, "depth": 1, "order": "zigzag"}),
        ("sparse_transformer", {"width": 16, "depth": 2, "stride": 6}),
        ("linear_attention", {"width": 16, "depth": 1, "heads": 2, "order": "columns"}),
        ("ssm", {"width": 16, "depth": 1, "order": "even_odd"}),
        ("bayes_net", {}),
        ("hierarchical", {"width": 16, "depth": 2, "scales": "3x3"}),
    ],
)
def test_priors_of_the_lecture_on_images(corpus, prior, settings):
    """Each learns that there are only twelve pictures, and codes a file with a header too."""
    Path("train.bits").write_bytes(np.packbits(images(4000, 0), axis=None).tobytes())
    new = np.packbits(images(64, 1), axis=None).tobytes()
    Path("new.txt").write_bytes(b"head" + new)
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    limits = [] if prior == "bayes_net" else ["--rows", "64", "--max-steps", "30", "--no-compile"]
    run("train", "prior", "train.bits", "-o", "m", "--prior", prior, "--tokenizer", "bits",
        "--set", "shape=6x6", *words, *limits, "-q")  # fmt: skip
    bits = round_trip("m") * 8 / 64
    assert bits < 30  # of 36 pixels; histograms of single pixels need 24, and nothing learned 36


@pytest.mark.parametrize("prior", ["causal_conv", "wavenet", "lstm", "transformer", "linear_attention", "ssm"])
def test_priors_of_the_lecture_on_text(corpus, prior):
    run("train", "prior", "texts", "-o", "m", "--prior", prior, "--set", "width=32", "--rows", "16", "--window", "32",
        "--max-steps", "60", "--no-compile", "-q")  # fmt: skip
    assert round_trip("m") < 0.75 * Path("new.txt").stat().st_size


def test_a_mixture_of_logistics(corpus):
    Path("levels").write_bytes(
        np.clip(np.random.default_rng(0).normal(120, 9, 20_000), 0, 255).astype(np.uint8).tobytes()
    )
    Path("new.txt").write_bytes(
        np.clip(np.random.default_rng(1).normal(120, 9, 2_000), 0, 255).astype(np.uint8).tobytes()
    )
    run("train", "prior", "levels", "-o", "m", "--prior", "logistic_mixture", "--set", "components=2", "-q")
    assert round_trip("m") * 8 / 20_000 < np.log2(9 * np.sqrt(2 * np.pi * np.e)) + 0.05


def test_one_picture_given_another(corpus):
    """Four pixels of one colour in the place of one; the wrong coarse pictures are an error."""
    for name, count in (("train", 4000), ("new", 400), ("other", 400)):
        coarse = np.random.default_rng(len(name)).integers(0, 2, (count, 3, 3)).astype(np.uint8)
        Path(f"{name}.coarse").write_bytes(coarse.tobytes())
        Path(f"{name}.fine").write_bytes(np.kron(coarse, np.ones((1, 2, 2), np.uint8)).tobytes())
    words = ["--prior", "pixelcnn", "--set", "shape=6x6", "--set", "width=16", "--set", "depth=2", "--rows", "64"]
    words += ["--max-steps", "120", "--learning-rate", "0.01", "--no-compile", "-q"]
    run("train", "prior", "train.fine", "-o", "alone", *words)
    run("train", "prior", "train.fine", "-o", "m", "--given", "train.coarse", "--set", "given=3x3", *words)
    Path("new.fine").rename("new.txt")
    alone = round_trip("alone")
    run("compress", "-m", "m", "--given", "new.coarse", "new.txt", "-o", "out.tokp", "-q")
    assert Path("out.tokp").stat().st_size < 0.6 * alone
    run("decompress", "-m", "m", "--given", "new.coarse", "out.tokp", "-o", "back", "-f", "-q")
    assert Path("back").read_bytes() == Path("new.txt").read_bytes()
    assert "--given" in run("decompress", "-m", "m", "out.tokp", "-o", "x", code=1).output
    assert "give one for each" in run("compress", "-f", "-m", "m", "--given", "train.coarse", "new.txt", code=1).output
    run("test", "-m", "m", "--given", "other.coarse", "out.tokp", code=1)
    assert "new.txt" in run("score", "-m", "m", "--given", "new.coarse", "new.txt").output
    run("compress", "-f", "-m", "alone", "--given", "other.coarse", "new.txt", code=2)
    told = run("train", "prior", "train.fine", "-o", "n", "--set", "given=3x3", *words, code=1).output
    assert "given" in told and not Path("n").exists()
    run("train", "prior", "texts", "-o", "n", "--given", "new.coarse", "--set", "given=3x3", *words, code=1)


@pytest.mark.parametrize("words", [("--tokenizer", "top_bit", "--set", "levels=2"), ("--tokenizer", "nibbles")])
def test_a_binary_picture_first_then_the_full_depth(corpus, words):
    for seed, name in enumerate(["train.raw", "new.txt"]):
        noise = np.random.default_rng(seed).integers(0, 4, (500, 6, 6))
        Path(name).write_bytes((images(500, seed) * 180 + noise).astype(np.uint8).tobytes())
    run("train", "prior", "train.raw", "-o", "m", "--prior", "hierarchical", *words, "--set", "shape=6x6",
        "--set", "width=16", "--set", "depth=1", "--rows", "32", "--max-steps", "60", "--no-compile", "-q")  # fmt: skip
    assert round_trip("m") * 8 / (500 * 36) < 3.5  # of noise alone there are 2


def test_context_helps(corpus):
    run("train", "prior", "texts", "-o", "m", "--prior", "histogram", "--set", "static=false", "-q")
    bits = [
        json.loads(run("score", "-m", "m", *words, "--json", "new.txt").output)[0]["bits"]
        for words in ([], ["--context", "texts/one.txt"], ["--context", "texts/two.log", "--context", "texts/one.txt"])
    ]
    assert bits[0] > bits[1] and bits[0] > bits[2]
    run("score", "-m", "m", "--context", "new.txt", "--lanes", "3", "new.txt", code=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("context_mixing", "--tokenizer", "nibbles"), "--tokenizer bytes"),
        (("memory",), "train that one with --memory"),
        (("mingru", "--set", "depth=1000000"), "depth=1000000 of the prior 'mingru' should be at most 256"),
        (("lstm", "--set", "shape=8"), "no two whole items"),
        (("pixelcnn",), "items of a shape"),
        (("transformer", "--set", "order=sideways", "--set", "shape=2x2"), "no order is called 'sideways'"),
        (("made", "--set", "shape=2y2"), "is no shape of an item"),
        (("ssm", "--set", "states=3"), "power of 2"),
        (("made",), "cannot be made with the settings"),
        (("pixelcnn", "--set", "shape=28"), "cannot be made with the settings"),
        (("pixelcnn", "--set", "shape=7x7", "--set", "width=1"), "cannot be made with the settings"),
        (("lstm", "--set", "dropout=1.5"), "should be below 1"),
        (("lstm", "--set", "dropout=nan"), "should be a finite number"),
    ],
)
def test_impossible_settings_leave_nothing_behind(corpus, words, told):
    if "shape=8" in words:
        Path("texts/two.log").unlink()
        Path("texts/one.txt").write_bytes(b"1234567")
    assert told in run("train", "prior", "texts", "-o", "m", "--prior", *words, "--max-steps", "1", code=1).output
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("shape", "told"), [("7x5", "12 symbols of the corpus are no whole items of shape 7x5"), ("4x3", "")]
)
def test_a_shape_that_does_not_fit_the_corpus_is_remarked_on(shape, told):
    Path("train.raw").write_bytes(np.random.default_rng(0).integers(0, 256, 432, np.uint8).tobytes())
    words = ["--prior", "pixelcnn", "--set", f"shape={shape}", "--set", "width=4", "--set", "depth=1", "--rows", "2"]
    output = run("train", "prior", "train.raw", "-o", "m", *words, "--max-steps", "1", "--no-compile").output
    assert told in output and bool(told) == ("no whole items" in output)


def test_an_ensemble_of_orders():
    """Smaller than its best member, by the command line alone; what is no model of such items is refused."""
    for name, count in (("train.bits", 4000), ("new.txt", 512)):
        noise = np.random.default_rng(count).random((count, 6, 6)) < 0.2
        Path(name).write_bytes(np.packbits(images(count, count) ^ noise, axis=None).tobytes())
    sizes = []
    for order in ("raster", "random", "random-2"):
        run("train", "prior", "train.bits", "-o", order, "--prior", "made", "--tokenizer", "bits", "--set", "shape=6x6",
            "--set", f"order={order}", "--rows", "64", "--max-steps", "30", "--no-compile", "-q")  # fmt: skip
        sizes.append(round_trip(order))
    words = ["train", "prior", "train.bits", "-o", "all", "--prior", "ensemble", "--tokenizer"]
    run(*words, "bits", "--set", "members=raster,random,random-2", "-q")
    assert round_trip("all") < min(sizes)
    usable("all")
    run("sample", "-m", "all", "--items", 4, "--by-decoding", "--png", "6x6", "-o", "four.png")
    assert "tokenizer" in run(*words, "nibbles", "-f", "--set", "members=raster", code=1).output
    assert "members" in run(*words, "bits", "-f", code=1).output
    assert "absent" in run(*words, "bits", "-f", "--set", "members=raster,absent", code=1).output
    assert "between two commas" in run(*words, "bits", "-f", "--set", "members=raster,,random", code=1).output
    round_trip("all")  # nothing was lost
    assert "complete items" in run("score", "-m", "all", "--context", "texts/one.txt", "new.txt", code=1).output
