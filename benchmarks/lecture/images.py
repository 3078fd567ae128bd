"""Every prior of the lecture on images: trained by the command line, coded to a file, and decoded.

A run compresses all test images with its model into one file, whose size is the result, header included, and decodes the first of
them from a file of their own.

mnist: 28×28 bits an image, nats per image = 8·ln 2·bytes / 10,000. Each pixel is drawn once with probability intensity/255, PCG64 seed
20261123, training file first. grey: the intensities themselves, a byte each, the first 50,000 training and 500 test images, bits per dim
= 8·bytes / (784 images). cifar: 32×32×3 bytes an image, bits per dim = 8·bytes / (3072 images).
"""

import gzip
import io
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.models.loading import load_folder
from tokpress.models.store import model_bytes

from ..registry import Benchmark, Cases, MeasurementError, Setup, benchmark, tokpress
from ..store import Results
from ..training import curve_of, parameters
from .report import figure, report
from .runs import CIFAR, GREY, MNIST, RUNS, Data, Run

#: drawn from each model, as a picture
SAMPLES = 16
Images = tuple[np.ndarray, np.ndarray]


@dataclass
class Place:
    """Where the packed images and the models are."""

    folder: Path

    def file(self, data: Data, name: str) -> Path:
        """name: train, test, first (the test images that are decoded) or few (samples); .given: what these are given"""
        return self.folder / "images" / data.name / f"{name}.raw"

    def model(self, name: str) -> Path:
        return self.folder / name


def read_idx(path: Path) -> np.ndarray:
    """Images [N, 28, 28] uint8 of an idx3 file."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    if raw[:4] != b"\x00\x00\x08\x03":
        raise MeasurementError(f"{path} is no idx file of images")
    count, rows, columns = np.frombuffer(raw[4:16], ">u4")
    return np.frombuffer(raw, np.uint8, offset=16).reshape(count, rows, columns)


def mnist(data: Path) -> Images:
    """98 bytes an image, eight pixels a byte, raster order."""
    train = np.load(data / "train/images/mnist/static_binarized_train_valid.npz")["train"]
    return train, np.load(data / "bench/images/mnist_static_binarized_test.npz")["test"]


def grey(data: Path) -> Images:
    """784 bytes an image."""
    train = read_idx(data / "train/images/mnist/train-images-idx3-ubyte.gz")
    test = read_idx(data / "bench/images/mnist/t10k-images-idx3-ubyte.gz")
    return train[:50_000], test[: GREY.images]


def cifar(data: Path) -> Images:
    """3072 bytes an image, row by row, red, green and blue of a pixel side by side."""
    files = data / "train/images/cifar10/train_4000.npz", data / "bench/images/cifar10_test_first500.npz"
    train, test = (next(iter(np.load(path).values())) for path in files)
    return train, test[: CIFAR.images]


#: by the name of the data
SOURCES: dict[str, Callable[[Path], Images]] = {"mnist": mnist, "grey": grey, "cifar": cifar}


def subsampled(images: bytes) -> bytes:
    """7×7 of 28×28 bits: every fourth pixel of every fourth row."""
    pixels = np.unpackbits(np.frombuffer(images, np.uint8)).reshape(-1, 28, 28)
    return np.packbits(pixels[:, ::4, ::4], axis=None).tobytes()


def prepare(place: Place, data: Data, folder: Path) -> None:
    if place.file(data, "first").is_file():
        return
    train, test = (images.tobytes() for images in SOURCES[data.name](folder))
    if len(test) != data.images * data.image_bytes:
        raise MeasurementError(f"there should be {data.images:,} test images of {data.name}")
    place.file(data, "train").parent.mkdir(parents=True, exist_ok=True)
    parts = {"train": train, "test": test, "few": test[: SAMPLES * data.image_bytes]}
    parts["first"] = test[: data.decoded * data.image_bytes]
    for name, images in parts.items():
        if data is MNIST:
            place.file(data, f"{name}.given").write_bytes(subsampled(images))
        place.file(data, name).write_bytes(images)


#: of the intensities that `drawn` makes, beside the static ones
DRAWS = 11


def drawn(place: Path, folder: Path) -> Path:
    """A corpus of the static training images, and of DRAWS more draws of the same intensities, shuffled. (The test images are
    static.)"""
    if not place.is_file():
        source, _ = grey(folder)
        chances = source.reshape(len(source), -1).astype(np.float32) / np.float32(255)
        rng = np.random.default_rng(20261130)
        made = [mnist(folder)[0]]
        made += [np.packbits(rng.random(chances.shape, np.float32) < chances, axis=1) for _ in range(DRAWS)]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((whole := np.concatenate(made))[rng.permutation(len(whole))].tobytes())
    return place


def picture_formats(place: Place) -> dict[str, int]:
    """Bytes of the CIFAR test images as one PNG and one lossless WebP each."""
    from PIL import Image

    pixels = np.frombuffer(place.file(CIFAR, "test").read_bytes(), np.uint8).reshape(-1, 32, 32, 3)
    sizes = {"png": 0, "webp": 0}
    for image in map(Image.fromarray, pixels):
        for name, options in (("png", {"optimize": True}), ("webp", {"lossless": True, "quality": 100, "method": 6})):
            image.save(out := io.BytesIO(), name, **options)
            sizes[name] += len(out.getvalue())
    return sizes


def measure(run: Run, place: Place, docs: Path) -> dict[str, Any]:
    """The coded size of the test images, and whether they come back."""
    model, data = place.model(run.name), run.data
    out, back = (place.folder / f"{run.name}.{end}" for end in ("tokp", "back"))
    loaded = load_folder(model)

    def given(name: str) -> list[str]:
        return ["--given", str(place.file(data, f"{name}.given"))] if run.given else []

    encode = tokpress("compress", "-q", "-f", "-m", model, *given("test"), place.file(data, "test"), "-o", out)
    size = out.stat().st_size
    tokpress("compress", "-q", "-f", "-m", model, *given("first"), place.file(data, "first"), "-o", out)
    decode = tokpress("decompress", "-q", "-f", "-m", model, *given("first"), out, "-o", back)
    picture = docs / "samples" / f"{run.name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    drawing = ["--items", SAMPLES, "--seed", 1, "--png", data.picture]
    tokpress("sample", "-f", "-m", model, *drawing, *given("few"), "-o", picture)
    same = back.read_bytes() == place.file(data, "first").read_bytes()
    out.unlink()
    back.unlink()
    found = {
        "data": data.name,
        "prior": run.prior,
        "command": "tokpress "
        + shlex.join(run.command(Path(f"{run.corpus}.raw"), Path(run.name), Path, Path("train.given"))),
        "coded_bytes": size,
        "images": data.images,
        "decoded_images": data.decoded if same else 0,
        "encode_seconds": round(encode, 1),
        "decode_seconds": round(decode, 1),
        "parameters": parameters(loaded),
        "model_bytes": model_bytes(loaded),
        "threads": run.threads,
    }
    if (model / "training_curve.json").is_file():
        curve = curve_of(model)
        found["training_minutes"] = round(curve[-1]["seconds"] / 60, 1)
        found["training_images"] = curve[-1]["tokens"] // data.tokens[run.tokenizer]
        if run.prior == "hierarchical":
            return found  # the curve is of the last stage alone
        found["curve"] = [
            [round(p["seconds"] / 60, 1), round(figure(data.name, p["held_out_bits_per_byte"] * data.image_bytes), 3)]
            for p in curve
        ]
    return found


@benchmark(
    "lecture", page="docs/lecture.md, docs/priors/", takes="12 hours of training, 10 minutes with trained models"
)
class Lecture(Benchmark):
    """Every prior of the lecture on MNIST and CIFAR-10, in bits that were written to disk."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {run.name: lambda run=run: self.one(run, setup) for run in RUNS}

    def one(self, run: Run, setup: Setup) -> dict[str, Any]:
        place = Place(setup.work)
        if absent := [name for name in run.members if not (place.model(name) / "config.json").is_file()]:
            raise MeasurementError(f"its members are not trained: {', '.join(absent)}")
        prepare(place, run.data, setup.data)
        model, corpus = place.model(run.name), place.file(run.data, run.corpus)
        if run.drawn:
            drawn(corpus, setup.data)
        setup.train(run.command(corpus, model, place.model, place.file(run.data, "train.given")), model)
        found = measure(run, place, setup.docs)
        return found | ({"picture_formats": picture_formats(place)} if run.data is CIFAR else {})

    def report(self, results: Results, setup: Setup) -> list[str]:
        report(results, setup.docs)
        return []
