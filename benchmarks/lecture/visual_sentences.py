"""In-context learning for pictures (LVM): a digit, its transform; another digit, the same transform; the third digit: and its transform?

Sequences of six pictures, of 6×6 black and white pixels, are items of one transformer, which is never told the transform.
"""

import shlex
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.models.loading import load_folder
from tokpress.models.model import Model

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results
from ..training import curve_of, limits, parameters, sets, write
from .coded import coded
from .images import read_idx

Pictures = np.ndarray  # [N, 6, 6] of 0 and 1
#: of a picture, and pictures of a sequence
SIDE, PAIRS = 6, 3
PIXELS = SIDE * SIDE
TRANSFORMS: dict[str, Callable[[Pictures], Pictures]] = {
    "mirrored": lambda x: x[:, :, ::-1],
    "upside down": lambda x: x[:, ::-1],
    "transposed": lambda x: x.swapaxes(1, 2),
    "inverted": lambda x: 1 - x,
}
NAMES = list(TRANSFORMS)
#: a row for each picture, so that the column of a pixel is its place in any picture
SETTINGS = {"shape": f"{2 * PAIRS}x{PIXELS}", "width": 64, "depth": 3}
#: sequences to learn from, test sequences of each transform, and from which mean of a 4×4 block on a pixel is 1
LEARNED, TESTED, THRESHOLD = 60_000, 128, 64


def small(images: np.ndarray) -> Pictures:
    """6×6 black and white of 28×28 grey, without two pixels at each edge."""
    inner = images[:, 2:-2, 2:-2]
    return (inner.reshape(-1, SIDE, 4, SIDE, 4).mean((2, 4)) >= THRESHOLD).astype(np.uint8)


def sequence(pairs: list[tuple[Pictures, Pictures]]) -> np.ndarray:
    """Sequences [N, bytes] of pairs of N pictures each."""
    pictures = np.stack(list(chain.from_iterable(pairs)), 1)
    return np.packbits(pictures.reshape(len(pictures), -1), axis=1)


def corpus(images: Pictures) -> bytes:
    """Sequences of random pictures, the transforms in turn."""
    rng = np.random.default_rng(0)
    drawn = [images[rng.integers(len(images), size=LEARNED)] for _ in range(PAIRS)]
    made = np.zeros((LEARNED, 2 * PAIRS * PIXELS // 8), np.uint8)
    for i, transform in enumerate(TRANSFORMS.values()):
        part = slice(i, None, len(NAMES))
        made[part] = sequence([(x[part], transform(x[part])) for x in drawn])
    return made.tobytes()


def bits_of(model: Model, pairs: list[tuple[Pictures, Pictures]]) -> list[float]:
    """Mean bits of each picture of the sequences, all in one payload, which is decoded and compared."""
    found = coded(model, [row.tobytes() for row in sequence(pairs)])
    return [found.mean(slice(at, at + PIXELS)) for at in range(0, 2 * PAIRS * PIXELS, PIXELS)]


def measure(model: Model, images: Pictures, name: str) -> dict[str, float]:
    """Bits of the transforms of the first test pictures, in the places that a sequence has for them."""
    first, second, last = (images[i * TESTED : (i + 1) * TESTED] for i in range(PAIRS))
    this, other = TRANSFORMS[name], TRANSFORMS[NAMES[(NAMES.index(name) + 1) % len(NAMES)]]
    pair, examples = (last, this(last)), [(first, this(first)), (second, this(second))]
    full = bits_of(model, [*examples, pair])
    return {
        "original": full[4],
        "no example": bits_of(model, [pair, *examples])[1],
        "one example": bits_of(model, [examples[0], pair, examples[1]])[3],
        "two examples": full[5],
        "two of another transform": bits_of(model, [(first, other(first)), (second, other(second)), pair])[5],
    }


def command(corpus_file: Path | str, folder: Path | str, steps: int) -> list[str]:
    words = [
        "train",
        "prior",
        str(corpus_file),
        "-o",
        str(folder),
        "--prior",
        "transformer",
        "--tokenizer",
        "bits",
        *sets(SETTINGS),
    ]
    return [*words, *limits(steps, 8)]


@benchmark("visual_sentences", page="docs/visual_sentences.md", takes="10 minutes", settings={"steps": 1000})
class VisualSentences(Benchmark):
    """A picture's transform after two examples of the transform, without, and after examples of another one."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {"transformer": lambda: self.one(setup)}

    def one(self, setup: Setup) -> dict[str, Any]:
        steps, folder = setup.settings["steps"], setup.work / "model"
        learned = read_idx(setup.train_data / "images/mnist/train-images-idx3-ubyte.gz")
        path = write(setup.work / "sequences", corpus(small(learned)))
        setup.train(command(path, folder, steps), folder)
        model, last = load_folder(folder), curve_of(folder)[-1]
        test = small(read_idx(setup.bench_data / "images/mnist/t10k-images-idx3-ubyte.gz")[: PAIRS * TESTED])
        return {
            "command": "tokpress " + shlex.join(command("sequences", "model", steps)),
            "parameters": parameters(model),
            "minutes": round(last["seconds"] / 60, 1),
            "sequences": last["tokens"] // (2 * PAIRS * PIXELS),
            "tested": TESTED,
            "transforms": {name: measure(model, test, name) for name in NAMES},
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        if m := results.values().get("transformer"):
            write_page(setup.docs / "visual_sentences.md", [*page(m), results.made_by()])
        return []


def page(m: dict[str, Any]) -> list[str]:
    columns = list(next(iter(m["transforms"].values())))
    rows = [[name, *(f"{bits[column]:.2f}" for column in columns)] for name, bits in m["transforms"].items()]
    mean = {column: float(np.mean([bits[column] for bits in m["transforms"].values()])) for column in columns}
    rows.append(["mean", *(f"{mean[column]:.2f}" for column in columns)])
    gain, harm = (mean[column] - mean["no example"] for column in columns[3:])
    return [
        "# Pictures in context",
        "",
        "LVM (Bai et al. 2023) is one transformer over sequences of pictures. A prompt of examples tells it the task: a picture and its result,",
        "another picture and its result, a third picture; it predicts the third result. Here a sequence is a digit and its transform, twice, and",
        f"then a third digit and its transform by the same rule: {', '.join(NAMES)}. Digits are MNIST at {SIDE} × {SIDE} pixels, black and white. The model is a",
        f"[transformer](priors/transformer.md) of {m['parameters']:,} parameters that learned from {m['sequences']:,} sequences. No token",
        "tells it the rule.",
        "",
        f"Bits of a transformed test digit, after its original and after so many examples; the mean of {m['tested']} digits of each rule. *original*: bits of the",
        "third digit itself. Each column is a payload of whole sequences that was decoded and compared; the bits of a picture in it are −log₂ p",
        "by exact steps.",
        "",
        *markdown(["rule", *columns], rows),
        "",
        f"Two examples change the bits of the transform by {gain:+.2f}, and two examples of another rule by {harm:+.2f}, against no example. A picture that is",
        f"known but for one of {len(NAMES)} equally likely rules has at most log₂ {len(NAMES)} = {np.log2(len(NAMES)):.0f} bits, so examples can save no more than that once the model can",
        "copy. In-context learning of files is on [another page](in_context.md).",
        "",
        f"* `{m['command']}`",
        "",
    ]  # fmt: skip
