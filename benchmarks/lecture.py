"""Every prior of the lecture on binarized MNIST: trained by the command line, coded to a file, decoded back.

    python benchmarks/lecture.py [--budget-minutes 60] [--only NAME …] [--again NAME …] [--report]

Trains what is not in benchmarks/results/lecture.json yet, for at most `minutes` each (a run that is cut off by the
budget is resumed by the next call), compresses the 10,000 test images with the model into one file, whose size makes the
nats per image (8·ln 2·bytes / 10,000, header included), and decodes the first 1,000 from a file of their own.

Images: the static draws of ../shared/data, or those that --idx TRAIN TEST names (MNIST's idx files, .gz or not), with
the same binarization: each pixel drawn once with probability intensity/255, PCG64 seed 20261123, training file first.
--report only writes docs/lecture.md and its plots from what the JSON file holds.
"""

import dataclasses
import gzip
import json
import math
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from data import ROOT
from lecture_report import report
from lecture_runs import RUNS, Run
from results import unwind_when_terminated

from tokpress.machine import describe
from tokpress.model import load_folder

RESULT = Path(__file__).with_name("results") / "lecture.json"
SHARED = ROOT.parent / "shared" / "data"
SEED = 20261123
IMAGES, DECODED = 10_000, 1_000


@dataclass
class Place:
    """Where the packed images and the models are."""

    folder: Path
    data: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data = self.folder / "mnist"
        self.data.mkdir(parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        return self.data / f"{name}.bits"


def read_idx(path: Path) -> np.ndarray:
    """Images [N, 28, 28] uint8 of an idx3 file."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    if raw[:4] != b"\x00\x00\x08\x03":
        raise click.ClickException(f"{path} is no idx file of images")
    count, rows, columns = np.frombuffer(raw[4:16], ">u4")
    return np.frombuffer(raw, np.uint8, offset=16).reshape(count, rows, columns)


def prepare(place: Place, idx: tuple[Path, Path] | None) -> None:
    """train.bits and test.bits: 98 bytes an image, eight pixels a byte, raster order."""
    if place.file("first").is_file():
        return
    if idx:
        rng = np.random.Generator(np.random.PCG64(SEED))
        packed = [np.packbits(rng.random(i.shape) < i / 255, axis=None) for i in map(read_idx, idx)]
        train, test = packed[0][: 50_000 * 98], packed[1]
    else:
        train = np.load(SHARED / "train/images/mnist/static_binarized_train_valid.npz")["train"]
        test = np.load(SHARED / "bench/images/mnist_static_binarized_test.npz")["test"]
    place.file("train").write_bytes(train.tobytes())
    place.file("test").write_bytes(test.tobytes())
    place.file("first").write_bytes(test.tobytes()[: DECODED * 98])


def tokpress(*words: object) -> float:
    """Run the command line; seconds."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "tokpress.cli", *map(str, words)], check=True)
    return time.monotonic() - begun


def train(run: Run, place: Place, minutes_left: float) -> bool:
    """Whether the model is there now."""
    model = place.folder / run.name
    if (model / "config.json").is_file():
        return True
    words = run.command(place.file("train"), model)
    resumed = (model / ".checkpoint").is_dir()
    process = subprocess.Popen([sys.executable, "-m", "tokpress.cli", *words, *(["--resume"] if resumed else [])])
    try:
        return process.wait(timeout=60 * minutes_left) == 0
    except subprocess.TimeoutExpired:
        process.terminate()  # saves a checkpoint
        process.wait()
        return False


def measure(run: Run, place: Place) -> dict[str, Any]:
    """The coded size of the test images, and whether they come back."""
    model, out, back = place.folder / run.name, place.data / f"{run.name}.tokp", place.data / f"{run.name}.back"
    told = load_folder(model)
    encode = tokpress("compress", "-q", "-f", "-m", model, place.file("test"), "-o", out)
    size = out.stat().st_size
    tokpress("compress", "-q", "-f", "-m", model, place.file("first"), "-o", out)
    decode = tokpress("decompress", "-q", "-f", "-m", model, out, "-o", back)
    same = back.read_bytes() == place.file("first").read_bytes()
    curve = json.loads((model / "training_curve.json").read_text())
    out.unlink()
    back.unlink()
    return {
        "run": dataclasses.asdict(run),
        "command": "tokpress " + shlex.join(run.command(Path("train.bits"), Path(run.name))),
        "coded_bytes": size,
        "nats_per_image": size * 8 * math.log(2) / IMAGES,
        "decoded_images": DECODED if same else 0,
        "encode_seconds_10000": round(encode, 1),
        "decode_seconds_1000": round(decode, 1),
        "parameters": int(sum(t.size for t in told.prior.tensors().values() if t.dtype == np.int8)),
        "model_bytes": told.size,
        "training_minutes": round(curve[-1]["seconds"] / 60, 1),
        "training_images": curve[-1]["tokens"] // run.tokens_per_image,
        "curve": [
            [round(p["seconds"] / 60, 1), round(p["held_out_bits_per_byte"] * 98 * math.log(2), 2)] for p in curve
        ],
        "machine": describe("torch", "numpy"),
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


@click.command()
@click.option("--budget-minutes", type=float, default=math.inf, help="Stop after this long; call again to go on.")
@click.option("--only", multiple=True, help="These runs (default: all).")
@click.option("--again", multiple=True, help="Forget what was measured of these, and their models.")
@click.option(
    "--idx", nargs=2, type=click.Path(exists=True, path_type=Path), help="MNIST's files, if not in ../shared."
)
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".lecture", help="Models and checkpoints.")
@click.option("--report", "only_report", is_flag=True, help="Only write docs/lecture.md.")
def main(budget_minutes, only, again, idx, work, only_report):
    unwind_when_terminated()
    begun = time.monotonic()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if not only_report:
        place = Place(work)
        prepare(place, idx)
        for name in again:
            kept.pop(name, None)
            shutil.rmtree(place.folder / name, ignore_errors=True)
        unknown = {*only, *again} - {run.name for run in RUNS}
        if unknown:
            raise click.UsageError(f"no such run: {', '.join(unknown)}")
        for run in RUNS:
            left = budget_minutes - (time.monotonic() - begun) / 60
            if run.name in kept or (only and run.name not in only):
                continue
            if left < 1 or not train(run, place, left):
                break
            measured = measure(run, place)
            kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}  # another call may have added to it
            kept[run.name] = measured
            RESULT.write_text(json.dumps(kept, indent=1) + "\n")
            print(f"{run.name}: {kept[run.name]['nats_per_image']:.2f} nats per image", file=sys.stderr, flush=True)
    report(kept, ROOT / "docs")


if __name__ == "__main__":
    main()
