"""Every prior of the lecture on images: trained by the command line, coded to a file, decoded back.

    python benchmarks/lecture.py [--budget-minutes 60] [--only NAME …] [--again NAME …] [--report]

Trains what is not in benchmarks/results/lecture.json yet, for at most `minutes` each (a run that is cut off by the
budget is resumed by the next call), compresses all test images with the model into one file, whose size is the result,
header included, and decodes the first of them from a file of their own.

mnist: 28×28 bits an image, nats per image = 8·ln 2·bytes / 10,000. The static draws of ../shared/data, or the files
that --idx TRAIN TEST names (MNIST's idx files, .gz or not), with the same binarization: each pixel drawn once with
probability intensity/255, PCG64 seed 20261123, training file first. grey: the intensities themselves, a byte each, the first
50,000 training and 500 test images, bits per dim = 8·bytes / (784 images). cifar: 32×32×3 bytes an image, bits per dim =
8·bytes / (3072 images); the .npz files of ../shared/data, or those of --cifar TRAIN TEST (an array of uint8 each).
--report only writes docs/lecture.md and its plots from what the JSON file holds.
"""

import gzip
import io
import json
import math
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from data import ROOT
from lecture_report import figure, report, told
from lecture_runs import CIFAR, GREY, MNIST, RUNS, Data, Run
from results import unwind_when_terminated
from training import tokpress, trained

from tokpress.models.store import load_folder, model_bytes
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "lecture.json"
SAMPLE_FOLDER = ROOT / "docs" / "samples"
SHARED = ROOT.parent / "shared" / "data"
SEED = 20261123
#: drawn from each model, as a picture
SAMPLES = 16
Given = tuple[Path, Path] | None


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
        raise click.ClickException(f"{path} is no idx file of images")
    count, rows, columns = np.frombuffer(raw[4:16], ">u4")
    return np.frombuffer(raw, np.uint8, offset=16).reshape(count, rows, columns)


def mnist(idx: Given) -> tuple[np.ndarray, np.ndarray]:
    """98 bytes an image, eight pixels a byte, raster order."""
    if idx:
        rng = np.random.Generator(np.random.PCG64(SEED))
        packed = [np.packbits(rng.random(i.shape) < i / 255, axis=None) for i in map(read_idx, idx)]
        return packed[0][: 50_000 * 98], packed[1]
    train = np.load(SHARED / "train/images/mnist/static_binarized_train_valid.npz")["train"]
    return train, np.load(SHARED / "bench/images/mnist_static_binarized_test.npz")["test"]


def grey(idx: Given) -> tuple[np.ndarray, np.ndarray]:
    """784 bytes an image."""
    folder = SHARED / "train/images/mnist"
    files = idx or (folder / "train-images-idx3-ubyte.gz", SHARED / "bench/images/mnist/t10k-images-idx3-ubyte.gz")
    train, test = map(read_idx, files)
    return train[:50_000], test[: GREY.images]


def cifar(given: Given) -> tuple[np.ndarray, np.ndarray]:
    """3072 bytes an image, row by row, red, green and blue of a pixel side by side."""
    files = given or (
        SHARED / "train/images/cifar10/train_4000.npz",
        SHARED / "bench/images/cifar10_test_first500.npz",
    )
    train, test = (next(iter(np.load(path).values())) for path in files)
    return train, test[: CIFAR.images]


def subsampled(images: bytes) -> bytes:
    """7×7 of 28×28 bits: every fourth pixel of every fourth row."""
    pixels = np.unpackbits(np.frombuffer(images, np.uint8)).reshape(-1, 28, 28)
    return np.packbits(pixels[:, ::4, ::4], axis=None).tobytes()


def prepare(place: Place, data: Data, given: Given) -> None:
    if place.file(data, "first").is_file():
        return
    make = {"mnist": mnist, "grey": grey, "cifar": cifar}[data.name]
    train, test = (images.tobytes() for images in make(given))
    if len(test) != data.images * data.image_bytes:
        raise click.ClickException(f"there should be {data.images:,} test images of {data.name}")
    place.file(data, "train").parent.mkdir(parents=True, exist_ok=True)
    parts = {"train": train, "test": test, "few": test[: SAMPLES * data.image_bytes]}
    parts["first"] = test[: data.decoded * data.image_bytes]
    for name, images in parts.items():
        if data is MNIST:
            place.file(data, f"{name}.given").write_bytes(subsampled(images))
        place.file(data, name).write_bytes(images)


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


def train(run: Run, place: Place, minutes_left: float) -> bool:
    """Whether the model is there now."""
    model = place.model(run.name)
    words = run.command(place.file(run.data, "train"), model, place.model, place.file(run.data, "train.given"))
    return trained(words, model, minutes_left)


def measure(run: Run, place: Place) -> dict[str, Any]:
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
    picture = SAMPLE_FOLDER / f"{run.name}.png"
    SAMPLE_FOLDER.mkdir(exist_ok=True)
    tokpress(
        "sample",
        "-f",
        "-m",
        model,
        "--items",
        SAMPLES,
        "--seed",
        1,
        "--png",
        data.picture,
        *given("few"),
        "-o",
        picture,
    )
    same = back.read_bytes() == place.file(data, "first").read_bytes()
    out.unlink()
    back.unlink()
    found = {
        "data": data.name,
        "prior": run.prior,
        "command": "tokpress " + shlex.join(run.command(Path("train.raw"), Path(run.name), Path, Path("train.given"))),
        "coded_bytes": size,
        "images": data.images,
        "decoded_images": data.decoded if same else 0,
        "encode_seconds": round(encode, 1),
        "decode_seconds": round(decode, 1),
        "parameters": int(sum(t.size for t in loaded.prior.tensors().values() if t.dtype == np.int8)),
        "model_bytes": model_bytes(loaded),
        "threads": run.threads,
        "machine": describe("torch", "numpy"),
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    if (model / "training_curve.json").is_file():
        curve = json.loads((model / "training_curve.json").read_text())
        found["training_minutes"] = round(curve[-1]["seconds"] / 60, 1)
        found["training_images"] = curve[-1]["tokens"] // data.tokens[run.tokenizer]
        if run.prior == "hierarchical":
            return found  # the curve is of the last stage alone
        found["curve"] = [
            [round(p["seconds"] / 60, 1), round(figure(data.name, p["held_out_bits_per_byte"] * data.image_bytes), 3)]
            for p in curve
        ]
    return found


@click.command()
@click.option("--budget-minutes", type=float, default=math.inf, help="Stop after this long; call again to go on.")
@click.option("--only", multiple=True, help="These runs (default: all).")
@click.option("--again", multiple=True, help="Forget what was measured of these, and their models.")
@click.option(
    "--idx", nargs=2, type=click.Path(exists=True, path_type=Path), help="MNIST's files, if not in ../shared."
)
@click.option(
    "--cifar", "pixels", nargs=2, type=click.Path(exists=True, path_type=Path), help="CIFAR-10's, as .npz files."
)
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".lecture", help="Models and checkpoints.")
@click.option("--report", "only_report", is_flag=True, help="Only write docs/lecture.md.")
def main(budget_minutes, only, again, idx, pixels, work, only_report):
    unwind_when_terminated()
    begun = time.monotonic()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if not only_report:
        place = Place(work)
        for name in again:
            kept.pop(name, None)
            shutil.rmtree(place.model(name), ignore_errors=True)
        unknown = {*only, *again} - {run.name for run in RUNS}
        if unknown:
            raise click.UsageError(f"no such run: {', '.join(unknown)}")
        for run in RUNS:
            left = budget_minutes - (time.monotonic() - begun) / 60
            if run.name in kept or (only and run.name not in only):
                continue
            if any(not (place.model(name) / "config.json").is_file() for name in run.members):
                print(f"{run.name}: left out, since not all its members are there", file=sys.stderr)
                continue
            prepare(place, run.data, pixels if run.data is CIFAR else idx)
            if left < 1 or not train(run, place, left):
                break
            measured = measure(run, place)
            if run.data is CIFAR:
                measured["picture_formats"] = picture_formats(place)
            kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}  # another call may have added to it
            kept[run.name] = measured
            RESULT.write_text(json.dumps(kept, indent=1) + "\n")
            print(f"{run.name}: {told(measured):.3f} {run.data.unit}", file=sys.stderr, flush=True)
    report(kept, ROOT / "docs")


if __name__ == "__main__":
    main()
