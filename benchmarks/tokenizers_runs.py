"""What benchmarks/tokenizers.py trains: one line a run, and the data."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from data import ROOT

SHARED = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Data:
    about: str
    #: folder → (the corpus, test files): made there where they are not yet
    prepare: Callable[[Path], tuple[Path, list[Path]]]
    pictures: bool = False


def _made(folder: Path, write: Callable[[Path, Path], None], suffix: str) -> tuple[Path, list[Path]]:
    train, test = folder / "train", folder / "test"
    if not (folder / "complete").is_file():
        for each in (train, test):
            each.mkdir(parents=True, exist_ok=True)
        write(train, test)
        (folder / "complete").touch()
    return train, sorted(test.glob(f"*{suffix}"))


def _unzipped(archive: Path, into: Path, suffix: str) -> None:
    with zipfile.ZipFile(archive) as held:
        for name in held.namelist():
            if name.endswith(suffix):
                (into / Path(name).name).write_bytes(held.read(name))


def photographs(folder: Path) -> tuple[Path, list[Path]]:
    """60 photographs of BSDS500 to learn from; the 24 of Kodak as PPM files to report on."""

    def write(train: Path, test: Path) -> None:
        from PIL import Image

        _unzipped(SHARED / "train/images/bsds500_jpg.zip", train, ".jpg")
        for path in sorted((SHARED / "bench/images/kodak").glob("*.png")):
            Image.open(path).convert("RGB").save(test / f"{path.stem}.ppm")

    return _made(folder, write, ".ppm")


def cifar(folder: Path) -> tuple[Path, list[Path]]:
    """4,000 training images, 32×32; the first 500 test images, in one file of raw pixels."""

    def write(train: Path, test: Path) -> None:
        learned = next(iter(np.load(SHARED / "train/images/cifar10/train_4000.npz").values()))
        np.save(train / "train.npy", learned)
        held = next(iter(np.load(SHARED / "bench/images/cifar10_test_first500.npz").values()))
        (test / "test.raw").write_bytes(np.ascontiguousarray(held).tobytes())

    return _made(folder, write, ".raw")


def voices(folder: Path) -> tuple[Path, list[Path]]:
    """Spoken digits, 8 kHz: 600 of five speakers to learn from, 80 of a sixth to report on."""

    def write(train: Path, test: Path) -> None:
        _unzipped(SHARED / "train/audio/spoken_digits.zip", train, ".wav")
        _unzipped(SHARED / "bench/audio/spoken_digits.zip", test, ".wav")

    return _made(folder, write, ".wav")


DATA = {
    "photographs": Data("photographs: 60 of BSDS500 to learn from, the 24 of Kodak measured", photographs, True),
    "cifar": Data("CIFAR-10: 4,000 training images, the first 500 test images measured", cifar),
    "voices": Data("spoken digits, 8 kHz: 600 recordings of five speakers, 80 of a sixth measured", voices),
}


@dataclass
class Run:
    name: str
    kind: str
    data: str
    #: of the tokenizer
    settings: dict[str, Any]
    #: of training the tokenizer, and of the prior over its tokens, on one thread; 0: it is no training run
    minutes: float = 12.0
    prior_minutes: float = 6.0
    prior: str = "pixelcnn"
    prior_settings: dict[str, Any] = field(default_factory=lambda: {"width": 96, "depth": 6, "dropout": 0.1})
    flags: list[str] = field(default_factory=list)
    prior_flags: list[str] = field(default_factory=lambda: ["--rows", "16"])
    vocab_size: int = 0

    def tokenizer_words(self, corpus: Path | str, work: Path) -> list[str]:
        """Words after `tokpress`."""
        words = ["train", "tokenizer", str(corpus), "-o", str(work / f"{self.name}.tokenizer"), "--kind", self.kind]
        words += ["--vocab-size", str(self.vocab_size)] if self.vocab_size else []
        words += _sets(self.settings)
        limits = ["--max-minutes", f"{self.minutes:g}", "--max-passes", "10000", "-T", "1"] if self.minutes else []
        return [*words, *limits, *self.flags]

    def prior_words(self, corpus: Path | str, work: Path) -> list[str]:
        words = ["train", "prior", str(corpus), "-o", str(work / self.name), "--prior", self.prior]
        words += ["--tokenizer", str(work / f"{self.name}.tokenizer"), *_sets(self.prior_settings)]
        limits = ["--max-minutes", f"{self.prior_minutes:g}", "--max-passes", "10000", "-T", "1"]
        return [*words, *limits, *self.prior_flags]


def _sets(settings: dict[str, Any]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


TILE = {"shape": "64x64x3", "down": 4, "width": 48, "depth": 2}
ROWS = ["--rows", "16"]

RUNS = [
    Run("vq", "vq", "photographs", TILE, flags=ROWS),
    Run("fsq", "fsq", "photographs", TILE, flags=ROWS),
    Run("lfq", "lfq", "photographs", TILE, flags=ROWS),
    Run("gumbel", "gumbel", "photographs", TILE, flags=ROWS),
    Run("vq_16", "vq", "photographs", {**TILE, "down": 16}, flags=ROWS),
    Run(
        "palette", "palette", "cifar", {}, 0, 20, prior_settings={"shape": "32x32", "width": 96, "depth": 6, "dropout": 0.2},
        vocab_size=512,
    ),
]  # fmt: skip
