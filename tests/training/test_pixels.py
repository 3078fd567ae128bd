"""Pictures with a byte for each pixel, and models of one-bit pixels: refused, in place of figures that mean nothing."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from tests.training.command import run

from .test_lecture import images

pytestmark = pytest.mark.usefixtures("corpus")
BAYES_NET = ("--prior", "bayes_net", "--set", "shape=6x6", "-q")


def idx(pixels: np.ndarray) -> bytes:
    return bytes([0, 0, 8, 3]) + b"".join(side.to_bytes(4, "big") for side in pixels.shape) + pixels.tobytes()


def write_pictures(folder: Path, pixels: np.ndarray) -> None:
    from PIL import Image

    folder.mkdir()
    Image.fromarray(pixels[0]).save(folder / "one.png")


@pytest.mark.parametrize("kind", ["png", "idx", "gz", "npy", "npz", "rows"])
def test_a_corpus_of_byte_pixels_is_refused_under_bits(kind):
    pixels = images(50, 0) * np.uint8(255)
    names = {
        "png": "pictures",
        "idx": "a-ubyte",
        "gz": "a-ubyte.gz",
        "npy": "a.npy",
        "npz": "a.npz",
        "rows": "rows.npy",
    }
    write = {
        "png": lambda: write_pictures(Path("pictures"), pixels),
        "idx": lambda: Path("a-ubyte").write_bytes(idx(pixels)),
        "gz": lambda: Path("a-ubyte.gz").write_bytes(gzip.compress(idx(pixels))),
        "npy": lambda: np.save("a.npy", pixels),
        "npz": lambda: np.savez("a.npz", pixels),
        "rows": lambda: np.save("rows.npy", pixels.reshape(50, -1)),
    }
    write[kind]()
    said = run("train", "prior", names[kind], "-o", "m", "--tokenizer", "bits", *BAYES_NET, code=1).output
    assert "pixels take a byte each" in said and names[kind] in said
    assert not Path("m").exists()


def test_packed_arrays_are_taken():
    pixels = np.zeros((80, 4, 8), np.uint8)
    np.save("packed.npy", np.packbits(pixels).reshape(80, 4))
    words = [word.replace("6x6", "4x8") for word in BAYES_NET]
    run("train", "prior", "packed.npy", "-o", "m", "--tokenizer", "bits", *words)
    assert "packed.npy" in run("score", "-m", "m", "packed.npy").output


def test_score_decodes_pictures_for_a_model_of_pixels():
    """Its figures are those of the pixels: the bytes of a PNG file say nothing to it."""
    from PIL import Image

    pixels = images(200, 0) * np.uint8(255)
    Path("train.raw").write_bytes(pixels.tobytes())
    run("train", "prior", "train.raw", "-o", "m", "--tokenizer", "bytes", *BAYES_NET)
    Path("plain.pgm").write_bytes(b"P5 6 6 255\n" + pixels[3].tobytes())
    Image.fromarray(pixels[3]).save("coded.png")
    Image.fromarray(pixels[3]).save("coded.jpg")

    def bits(*words):
        return float(run("score", *words).output.splitlines()[1].split("\t")[1])

    assert bits("-m", "m", "coded.png") == bits("-m", "m", "plain.pgm")
    assert bits("-m", "linear-prediction", "coded.png") == bits("-m", "linear-prediction", "plain.pgm")
    assert bits("-m", "context-mixing", "coded.png") > 8 * 40  # of bytes: the file as it is
    assert re.search(
        "coded.jpg: the model takes pixels or sound. JPEG compression is lossy",
        run("score", "-m", "m", "coded.jpg", code=1).output,
    )


def test_score_refuses_byte_pixels_for_a_model_of_bits():
    Path("train.bits").write_bytes(np.packbits(images(4000, 0), axis=None).tobytes())
    run("train", "prior", "train.bits", "-o", "m", "--tokenizer", "bits", *BAYES_NET)
    Path("a.pgm").write_bytes(b"P5 6 6 255\n" + images(1, 1).tobytes())
    Path("a-ubyte").write_bytes(idx(images(10, 1)))
    write_pictures(Path("pictures"), images(1, 1))
    for name in ("a.pgm", "a-ubyte", "pictures/one.png"):
        assert "pixels take a byte each" in run("score", "-m", "m", name, code=1).output
    run("score", "-m", "m", "train.bits")
