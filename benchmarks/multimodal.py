"""One prior over captions and pictures: what each tells about the other. Writes docs/multimodal.md.

    python benchmarks/multimodal.py [--minutes 15] [--report]

Pairs of a caption ("a seven  ") and a binarized MNIST digit, 28×28 bits, in one sequence of the tokenizer `segments`: half of
the pairs caption first, half picture first. A minGRU prior trained on 50,000 of them, by the command line; then −log2 p of the
parts of the first test pairs, by exact steps, each behind a training pair: alone, and after the other part was read.
"""

import gzip
import json
import math
import time
from pathlib import Path

import click
import numpy as np
from data import ROOT
from results import machine_line, markdown
from training import trained

import tokpress
from tokpress.coding import Frame
from tokpress.media.segments import join
from tokpress.models.store import load_folder, model_bytes
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "multimodal.json"
SHARED = ROOT.parent / "shared" / "data"
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEXT, IMAGE = 0, 1
MEASURED = 1000


def labels(path: Path) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=8)


def caption(label: int) -> bytes:
    return f"a {NAMES[label]:<5}".encode()


def pieces(images: np.ndarray, digits: np.ndarray) -> list[tuple[bytes, bytes]]:
    """(caption, picture) as segments."""
    return [(join([(TEXT, caption(d))]), join([(IMAGE, image.tobytes())])) for image, d in zip(images, digits)]


def bits_of(model, before: list[bytes], first: list[bytes], second: list[bytes]) -> float:
    """Mean −log2 p of the second parts after the first, each pair a sequence of its own behind another pair, as they lie in
    the corpus; all are equally long."""
    sequences = [model.tokenizer.encode(x + a + b) for x, a, b in zip(before, first, second)]
    lead = len(model.tokenizer.encode(before[0] + first[0]))
    (length,) = {len(sequence) for sequence in sequences}
    codec = model.prior.codec(Frame(length * len(sequences), len(sequences)))
    bits = codec.score(np.concatenate(sequences))
    return float(bits.reshape(len(sequences), length)[:, lead:].sum(1).mean())


def measure(minutes: float, work: Path) -> dict:
    names = {"train": "train-labels-idx1-ubyte.gz", "test": "t10k-labels-idx1-ubyte.gz"}
    train = np.load(SHARED / "train/images/mnist/static_binarized_train_valid.npz")["train"]
    test = np.load(SHARED / "bench/images/mnist_static_binarized_test.npz")["test"][:MEASURED]
    learned = pieces(train, labels(SHARED / "train/images/mnist" / names["train"]))
    held = pieces(test, labels(SHARED / "bench/images/mnist" / names["test"]))
    work.mkdir(parents=True, exist_ok=True)
    pairs, made = work / "pairs", b"".join(a + b if i % 2 else b + a for i, (a, b) in enumerate(learned))
    if not pairs.is_file() or pairs.read_bytes() != made:  # a run is resumed on a corpus that nobody has touched
        pairs.write_bytes(made)
    words = [
        ["train", "tokenizer", pairs, "-o", work / "tokenizer", "--kind", "segments", "--set", "parts=bytes,nibbles"],
        ["train", "prior", pairs, "-o", work / "model", "--tokenizer", work / "tokenizer", "--prior", "mingru", "--set",
         "width=192", "--set", "depth=4", "--set", "hidden=384", "--set", "online=0", "--no-memory", "--max-minutes", f"{minutes:g}", "--max-passes", "1000", "--rows", "32",
         "--window", "420", "-T", "1"],
    ]  # fmt: skip
    for each in words:
        trained([str(word) for word in each], Path(each[4]), math.inf)
    model = load_folder(work / "model")
    captions, pictures = [a for a, _ in held], [b for _, b in held]
    nothing = [b""] * len(held)
    # in the corpus, picture first and caption first take turns
    then_picture, then_caption = ([x + y for x, y in learned[: len(held)]], [y + x for x, y in learned[: len(held)]])
    coded = tokpress.compress(captions[0] + pictures[0], model=model)
    return {
        "minutes": minutes,
        "pairs": len(held),
        "picture alone": bits_of(model, then_picture, nothing, pictures),
        "picture after its caption": bits_of(model, then_caption, captions, pictures),
        "picture after another caption": bits_of(model, then_caption, captions[1:] + captions[:1], pictures),
        "caption alone": bits_of(model, then_caption, nothing, captions),
        "caption after its picture": bits_of(model, then_picture, pictures, captions),
        "round_trip": tokpress.decompress(coded, model=model) == captions[0] + pictures[0],
        "model_bytes": model_bytes(model),
        "command": " ".join(str(word).replace(f"{work}/", "") for word in words[1]),
        "machine": describe("torch", "numpy"),
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def report(m: dict) -> None:
    wrong = m["picture after another caption"] - m["picture alone"]
    alone, told = m["picture alone"], m["picture after its caption"]
    rows = [[name, f"{m[name]:.2f}"] for name in m if name.startswith(("picture", "caption"))]
    lines = [
        "# One prior over captions and pictures",
        "",
        "The tokenizer `segments` gives several kinds of data one vocabulary, with a mark before each piece. Here: a caption",
        '("a seven") and a binarized MNIST digit of 28 × 28 pixels, in sequences that begin with either. One prior, trained on',
        f"50,000 such pairs, predicts both. Bits of each part, the mean of {m['pairs']:,} test pairs, −log₂ p by exact",
        "steps, each behind a training pair:",
        "",
        *markdown(["part", "bits"], rows),
        "",
        f"The caption lowers the picture's bits by {alone - told:.2f}, and the picture those of the caption by "
        f"{m['caption alone'] - m['caption after its picture']:.2f}. With a perfect prior both would be the same, and at most the "
        f"log₂ 10 = {math.log2(10):.2f} bits that ten digits differ by: the rest is what this one has not learned. "
        f"Another picture's caption changes the bits by {wrong:+.2f}.",
        "",
        f"Made by `python benchmarks/multimodal.py --minutes {m['minutes']:g}`, which runs `tokpress {m['command']}`. "
        f"The model takes {m['model_bytes']:,} bytes. Machine: {machine_line(m['machine'])}.",
        "",
    ]
    (ROOT / "docs" / "multimodal.md").write_text("\n".join(lines), "utf-8")


@click.command()
@click.option("--minutes", type=float, default=15.0, show_default=True, help="Of training, on one core.")
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".tokenizers" / "multimodal")
@click.option("--report", "only_report", is_flag=True, help="Only write docs/multimodal.md.")
def main(minutes, work, only_report):
    if not only_report:
        RESULT.write_text(json.dumps(measure(minutes, work), indent=1) + "\n")
    report(json.loads(RESULT.read_text()))


if __name__ == "__main__":
    main()
