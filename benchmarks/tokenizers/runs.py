"""The runs of lossy tokenizers, one line each, and their data."""

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..training import sets


@dataclass(frozen=True)
class Data:
    about: str
    #: (folder with bench/ and train/, target) → (the corpus, test files), made in the target where they are not there yet
    prepare: Callable[[Path, Path], tuple[Path, list[Path]]]
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


def photographs(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """60 photographs of BSDS500 to learn from; the 24 of Kodak as PPM files to report on."""

    def write(train: Path, test: Path) -> None:
        from PIL import Image

        _unzipped(data / "train/images/bsds500_jpg.zip", train, ".jpg")
        for path in sorted((data / "bench/images/kodak").glob("*.png")):
            Image.open(path).convert("RGB").save(test / f"{path.stem}.ppm")

    return _made(folder, write, ".ppm")


def moved_photographs(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The same photographs, each also mirrored, and each without its first rows and columns in three ways, so that tiles begin
    elsewhere."""

    def write(train: Path, test: Path) -> None:
        from PIL import Image, ImageOps

        corpus, files = photographs(data, folder.parent / "photographs")
        for path in sorted(corpus.glob("*.jpg")):
            picture = Image.open(path).convert("RGB")
            for mirrored, turned in enumerate((picture, ImageOps.mirror(picture))):
                for number, (top, left) in enumerate(((0, 0), (40, 24), (72, 88), (24, 56))):
                    moved = turned.crop((left, top, turned.width, turned.height))
                    moved.save(train / f"{path.stem}.{mirrored}{number}.png", compress_level=1)
        for path in files:
            (test / path.name).write_bytes(path.read_bytes())

    return _made(folder, write, ".ppm")


def cifar(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """4,000 training images, 32×32; the first 500 test images, in one file of raw pixels."""

    def write(train: Path, test: Path) -> None:
        learned = next(iter(np.load(data / "train/images/cifar10/train_4000.npz").values()))
        np.save(train / "train.npy", learned)
        held = next(iter(np.load(data / "bench/images/cifar10_test_first500.npz").values()))
        (test / "test.raw").write_bytes(np.ascontiguousarray(held).tobytes())

    return _made(folder, write, ".raw")


def voices(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """Spoken digits, 8 kHz: 600 of five speakers to learn from, each also three times louder or softer and faster or slower;
    80 of a sixth speaker to report on."""

    def write(train: Path, test: Path) -> None:
        import soundfile

        _unzipped(data / "train/audio/spoken_digits.zip", train, ".wav")
        _unzipped(data / "bench/audio/spoken_digits.zip", test, ".wav")
        rng = np.random.default_rng(0)
        for path in sorted(train.glob("*.wav")):
            samples, rate = soundfile.read(path, dtype="int16")
            for number in range(3):
                gain, speed = 10 ** (rng.uniform(-9, 9) / 20), rng.uniform(0.85, 1.18)
                at = np.arange(0, len(samples) - 1, speed)
                moved = np.interp(at, np.arange(len(samples)), samples.astype(np.float64)) * gain
                made = np.clip(np.round(moved), -(1 << 15), (1 << 15) - 1).astype(np.int16)
                soundfile.write(train / f"{path.stem}.{number}.wav", made, rate, subtype="PCM_16")

    return _made(folder, write, ".wav")


def glides(data: Path, folder: Path) -> tuple[Path, list[Path]]:
    """5 frames of 32×32 that glide over the photographs of BSDS500, straight and evenly, to learn from; real clips, cut into
    such pieces, to report on."""

    def write(train: Path, test: Path) -> None:
        from PIL import Image

        corpus, _ = photographs(data, folder.parent / "photographs")
        rng, made = np.random.default_rng(0), []
        for path in sorted(corpus.glob("*.jpg")):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            for _ in range(100):
                step = rng.uniform(-4, 4, 2)
                top = rng.uniform(16, np.array(pixels.shape[:2]) - 48)
                places = [np.round(top + i * step).astype(int) for i in range(5)]
                made.append(np.stack([pixels[r : r + 32, c : c + 32] for r, c in places]))
        np.save(train / "glides.npy", np.stack(made))
        for path in sorted((data / "bench/video").glob("*.yuv")):
            columns, rows = clip_size(path)
            clip = yuv(path.read_bytes(), rows, columns)
            clip = clip[: len(clip) // 5 * 5, : rows // 32 * 32, : columns // 32 * 32]
            pieces = clip.reshape(-1, 5, rows // 32, 32, columns // 32, 32, 3).transpose(0, 2, 4, 1, 3, 5, 6)
            (test / f"{path.stem}.raw").write_bytes(np.ascontiguousarray(pieces).tobytes())

    return _made(folder, write, ".raw")


def clip_size(path: Path) -> tuple[int, int]:
    """Columns and rows, as the file's name tells them."""
    size = re.search(r"(\d+)x(\d+)", path.stem) or re.search(r"(\d+)_(\d+)", path.stem)
    assert size
    columns, rows = map(int, size.groups())
    return columns, rows


def yuv(raw: bytes, rows: int, columns: int) -> np.ndarray:
    """Frames of planar 4:2:0 → [T, rows, columns, 3] red, green, blue (BT.601, full range)."""
    size = rows * columns
    frames = np.frombuffer(raw, np.uint8)[: len(raw) // (size * 3 // 2) * (size * 3 // 2)].reshape(-1, size * 3 // 2)
    y = frames[:, :size].reshape(-1, rows, columns).astype(np.float64)
    u, v = (
        frames[:, size + i * size // 4 :][:, : size // 4].reshape(-1, rows // 2, columns // 2).repeat(2, 1).repeat(2, 2)
        - 128.0
        for i in range(2)
    )
    rgb = np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], -1)
    return np.clip(np.round(rgb), 0, 255).astype(np.uint8)


DATA = {
    "photographs": Data("photographs: 60 of BSDS500 to learn from, the 24 of Kodak measured", photographs, True),
    "moved_photographs": Data(
        "photographs: those 60, mirrored and moved, 480 in all, to learn from, the 24 of Kodak measured",
        moved_photographs,
        True,
    ),
    "cifar": Data("CIFAR-10: 4,000 training images, the first 500 test images measured", cifar),
    "glides": Data("video: 6,000 glides over photographs to learn from, four real clips measured", glides),
    "voices": Data(
        "spoken digits, 8 kHz: 600 recordings of five speakers and three variants of each (level, speed), 80 of a sixth measured",
        voices,
    ),
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
    #: the run whose tokenizer it takes
    tokenizer_of: str = ""

    def tokenizer_words(self, corpus: Path | str, work: Path) -> list[str]:
        """Words after `tokpress`; none where the tokenizer is another run's."""
        if self.tokenizer_of:
            return []
        words = ["train", "tokenizer", str(corpus), "-o", str(work / f"{self.name}.tokenizer"), "--kind", self.kind]
        words += ["--vocab-size", str(self.vocab_size)] if self.vocab_size else []
        words += sets(self.settings)
        limits = ["--max-minutes", f"{self.minutes:g}", "--max-passes", "10000", "-T", "1"] if self.minutes else []
        return [*words, *limits, *self.flags]

    def prior_words(self, corpus: Path | str, work: Path) -> list[str]:
        words = ["train", "prior", str(corpus), "-o", str(work / self.name), "--prior", self.prior]
        words += ["--tokenizer", str(work / f"{self.tokenizer_of or self.name}.tokenizer"), *sets(self.prior_settings)]
        limits = ["--max-minutes", f"{self.prior_minutes:g}", "--max-passes", "10000", "-T", "1"]
        return [*words, *limits, *self.prior_flags]


TILE = {"shape": "64x64x3", "down": 4, "width": 48, "depth": 2}
ROWS = ["--rows", "16"]
ATTENTION = {"width": 96, "depth": 3, "dropout": 0.1}

RUNS = [
    Run("vq", "vq", "photographs", TILE, flags=ROWS),
    Run("fsq", "fsq", "photographs", TILE, flags=ROWS),
    Run("lfq", "lfq", "photographs", TILE, flags=ROWS),
    Run("gumbel", "gumbel", "photographs", TILE, flags=ROWS),
    # what lies beyond a tile is no context: 16 × 16 pixels a token need large tiles
    Run("vq_16", "vq", "moved_photographs", {**TILE, "shape": "128x128x3", "down": 16}, 15, 15,
        prior_settings={"width": 96, "depth": 6, "dropout": 0.2}, flags=["--rows", "8"]),
    Run("vqgan", "vqgan", "photographs", TILE, flags=ROWS),
    Run("titok", "titok", "photographs", {"shape": "64x64x3", "latents": 64}, prior="transformer", prior_settings=ATTENTION, flags=ROWS),
    Run("multiscale", "multiscale", "photographs", {**TILE, "scales": "1,2,4,8,16"}, prior="next_scale",
        prior_settings={**ATTENTION, "scales": "1,2,4,8,16"}, flags=ROWS),
    Run("multiscale_in_order", "multiscale", "photographs", {}, 0, prior="transformer", prior_settings=ATTENTION,
        tokenizer_of="multiscale"),
    # bits weigh in the choice of codes, which takes one of the nine numbers of a code
    Run("multiscale_rate", "multiscale", "photographs", {**TILE, "scales": "1,2,4,8,16", "dim": 9}, prior="next_scale",
        prior_settings={**ATTENTION, "scales": "1,2,4,8,16"}, flags=[*ROWS, "--rate", "0.001"]),
    Run("multiscale_rate_in_order", "multiscale", "photographs", {}, 0, prior="transformer", prior_settings=ATTENTION,
        tokenizer_of="multiscale_rate"),
    Run("audio_rvq", "audio_rvq", "voices", {"width": 48, "depth": 1}, 20, 25, prior="transformer",
        prior_settings={**ATTENTION, "width": 128, "depth": 4}),
    Run("video_lfq", "video_lfq", "glides", {"width": 48, "depth": 1}, 15, flags=ROWS),
    Run("palette", "palette", "cifar", {}, 0, 8, prior_settings={"shape": "32x32", "width": 96, "depth": 6, "dropout": 0.2},
        vocab_size=512),
    # iGPT: a transformer over the colours of the palette, row by row
    Run("igpt", "palette", "cifar", {}, 0, 8, prior="transformer", prior_settings={"shape": "32x32", **ATTENTION},
        tokenizer_of="palette"),
]  # fmt: skip
