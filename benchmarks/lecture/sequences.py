"""Sequences: the lecture's models on text, tokenizers of text under one prior, and one prior over captions and pictures.

All are trained by the command line for a few minutes on one core. A stopped call continues where it was.
"""

import gzip
import lzma
import math
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np

import tokpress
from tokpress.coding import Frame
from tokpress.media.segments import join
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.models.store import model_bytes

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from ..store import Results
from ..training import curve_of, parameters, sets
from .coded import coded, payload_of

CORPUS_BYTES = 20_000_000
FILES = ("text/canterbury/alice29.txt", "text/calgary/paper1")


def novels(setup: Setup) -> Path:
    """The text to train on, in a file."""
    setup.work.mkdir(parents=True, exist_ok=True)
    text = setup.work / "novels.txt"
    if not text.is_file():
        with lzma.open(setup.train_data / "text" / "novels_en.xz") as file:
            text.write_bytes(file.read(CORPUS_BYTES))
    return text


# --- the lecture's models on text ---------------------------------------------------------------------------------------

#: about as many parameters each
MODELS: dict[str, dict[str, Any]] = {
    "lstm": {"width": 320},
    "transformer": {"width": 96, "depth": 4},
    "linear_attention": {"width": 96, "depth": 4},
    "ssm": {"width": 96, "depth": 4},
}
#: lanes → tokens to code in them
LANES = {1: 2_000, 16: 24_000, 128: 128_000}


def model_command(name: str, corpus: Path, model: Path, minutes: float) -> list[str]:
    limits = ["--max-minutes", f"{minutes:g}", "--max-passes", "1000", "-T", "1", "--rows", "32", "--window", "256"]
    words = ["train", "prior", str(corpus), "-o", str(model), "--prior", name, "--tokenizer", "bytes"]
    return [*words, *sets(MODELS[name]), "--no-memory", *limits]


def speed(model: Model, source: bytes, lanes: int) -> tuple[float, float]:
    """KB/s of encoding and of decoding in `lanes` lanes, the model loaded."""
    tokens = model.tokenizer.encode(source)
    codec = model.prior.codec(Frame(len(tokens), lanes))
    codec.encode(tokens[: 16 * lanes])
    begun = time.perf_counter()
    payload = codec.encode(tokens)
    encoded = time.perf_counter()
    same = np.array_equal(codec.decode(payload, len(tokens)), tokens)
    decoded = time.perf_counter()
    if not same:
        raise MeasurementError(f"{lanes} lanes were not decoded back")
    return len(source) / 1000 / (encoded - begun), len(source) / 1000 / (decoded - encoded)


def measure_model(name: str, folder: Path, files: dict[str, Path], minutes: float) -> dict[str, Any]:
    model = load_folder(folder)
    sizes, source = {}, b""
    for file in FILES:
        data = files[file].read_bytes()
        payload, _ = payload_of(model, file, data)
        sizes[file] = [len(data), len(payload)]
        source += data
    curve = curve_of(folder)
    return {
        "command": "tokpress " + shlex.join(model_command(name, Path("novels.txt"), Path(name), minutes)),
        "parameters": parameters(model),
        "model_bytes": model_bytes(model),
        "minutes": round(curve[-1]["seconds"] / 60, 1),
        "tokens": curve[-1]["tokens"],
        "held_out": curve[-1]["held_out_bits_per_byte"],
        "sizes": sizes,
        "speed": {lanes: [round(v, 2) for v in speed(model, source[:count], lanes)] for lanes, count in LANES.items()},
    }


@benchmark(
    "lecture_text",
    page="docs/lecture_text.md",
    takes="1 hour, 10 minutes of training a model",
    settings={"training_minutes": 10.0},
)
class LectureText(Benchmark):
    """lstm, transformer, linear attention and ssm on text, a token a byte, under one equal budget of training."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda name=name: self.one(name, setup) for name in MODELS}

    def one(self, name: str, setup: Setup) -> dict[str, Any]:
        minutes, folder = setup.settings["training_minutes"], setup.work / name
        setup.train(model_command(name, novels(setup), folder, minutes), folder)
        return measure_model(name, folder, setup.bench, minutes)

    def report(self, results: Results, setup: Setup) -> list[str]:
        if kept := results.values():
            write_page(setup.docs / "lecture_text.md", [*models_page(kept), results.made_by()])
        return []


def models_page(kept: dict[str, Any]) -> list[str]:
    head = ["prior", "parameters", "training tokens/s", "bytes seen", "held out", *(f.split("/")[-1] for f in FILES)]
    rows, speeds = [], []
    for name, m in sorted(kept.items(), key=lambda item: item[1]["held_out"]):
        rates = [f"{8 * made / size:.3f}" for size, made in m["sizes"].values()]
        per_second = f"{m['tokens'] / m['minutes'] / 60:,.0f}"
        rows.append([name, f"{m['parameters']:,}", per_second, f"{m['tokens']:,}", f"{m['held_out']:.3f}", *rates])
        speeds.append([name, *(f"{a:.1f} / {b:.1f}" for a, b in m["speed"].values())])
    minutes = {m["minutes"] for m in kept.values()}
    return [
        "# Sequence models of the lecture on text",
        "",
        f"Each model has one token for each byte. It is trained for {min(minutes):.0f} minutes of one core, compilation included, on the same 20 MB of",
        "English novels, in batches of 32 × 256 bytes. *held out* has bits per byte on held-out novels, by the training form. The next columns have",
        "bits per byte of payloads of whole files, which were decoded and compared; models are not counted. No memory is added. The machine trained",
        "other models at the same time, so compare speeds only within this page.",
        "",
        *markdown(head, rows),
        "",
        "Encoding / decoding in KB/s, with the model loaded, by number of lanes:",
        "",
        *markdown(["prior", *(f"{lanes} lanes" if lanes > 1 else "1 lane" for lanes in LANES)], speeds),
        "",
        *(f"* {name}: `{m['command']}`" for name, m in kept.items()),
        "",
    ]


# --- tokenizers of text ------------------------------------------------------------------------------------------------

#: name → (kind, largest vocabulary)
TOKENIZERS = {
    "bytes": ("bytes", 256),
    "chars": ("chars", 512),
    "words": ("words", 4096),
    "bpe-512": ("bpe", 512),
    "bpe-1024": ("bpe", 1024),
    "bpe-4096": ("bpe", 4096),
    "bpe-16384": ("bpe", 16384),
}


def tokenizer_commands(name: str, corpus: Path, work: Path, minutes: float) -> list[list[str]]:
    kind, symbols = TOKENIZERS[name]
    learned = work / f"{name}.tokenizer"
    first = ["train", "tokenizer", str(corpus), "-o", str(learned), "--kind", kind, "--vocab-size", str(symbols)]
    second = ["train", "prior", str(corpus), "-o", str(work / name), "--prior", "mingru", "--no-memory"]
    second += ["--max-minutes", f"{minutes:g}", "--max-passes", "1000", "-T", "1"]
    second += sets({"width": 256, "depth": 3, "hidden": 512})
    return [[*second, "--tokenizer", kind]] if kind == "bytes" else [first, [*second, "--tokenizer", str(learned)]]


def measure_tokenizer(folder: Path, files: dict[str, Path], words: list[list[str]]) -> dict[str, Any]:
    model, sizes = load_folder(folder), {}
    for file in FILES:
        data = files[file].read_bytes()
        payload, tokens = payload_of(model, file, data, 1)
        sizes[file] = [len(data), tokens, len(payload)]
    curve = curve_of(folder)
    return {
        "commands": ["tokpress " + shlex.join(each) for each in words],
        "symbols": model.tokenizer.vocab_size,
        "model_bytes": model_bytes(model),
        "minutes": round(curve[-1]["seconds"] / 60, 1),
        "training_tokens": curve[-1]["tokens"],
        "sizes": sizes,
    }


@benchmark(
    "text_tokenizers",
    page="docs/text_tokenizers.md",
    takes="1 hour, 5 minutes of training a tokenizer",
    settings={"training_minutes": 5.0},
)
class TextTokenizers(Benchmark):
    """Bytes, characters, words and byte pairs before the same prior."""

    packages = ("torch", "numpy", "tokenizers")

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda name=name: self.one(name, setup) for name in TOKENIZERS}

    def one(self, name: str, setup: Setup) -> dict[str, Any]:
        minutes = setup.settings["training_minutes"]
        for words in tokenizer_commands(name, novels(setup), setup.work, minutes):
            setup.train(words, Path(words[4]))
        shown = tokenizer_commands(name, Path("novels.txt"), Path(), minutes)
        return measure_tokenizer(setup.work / name, setup.bench, shown)

    def report(self, results: Results, setup: Setup) -> list[str]:
        if kept := results.values():
            write_page(setup.docs / "text_tokenizers.md", [*tokenizers_page(kept), results.made_by()])
        return []


def tokenizers_page(kept: dict[str, Any]) -> list[str]:
    head = ["tokenizer", "symbols", "training tokens/s", *(f"{f.split('/')[-1]}: {what}" for f in FILES for what in
            ("tokens a byte", "bits a token", "bits a byte")), "model bytes"]  # fmt: skip
    rows = []
    for name, m in kept.items():
        cells = []
        for size, tokens, made in m["sizes"].values():
            cells += [f"{tokens / size:.3f}", f"{8 * made / tokens:.2f}", f"{8 * made / size:.3f}"]
        rate = f"{m['training_tokens'] / m['minutes'] / 60:,.0f}"
        rows.append([name, f"{m['symbols']:,}", rate, *cells, f"{m['model_bytes']:,}"])
    (minutes,) = {f"{m['minutes']:.0f}" for m in kept.values()}
    return [
        "# Tokenizers of text",
        "",
        f"Each tokenizer has the same prior (minGRU, width 256, depth 3), trained for {minutes} minutes of one core on 20 MB of English novels. A larger",
        "vocabulary gives fewer tokens with more bits each; bits a byte are the product of both columns. Words and characters that are on no list",
        "become a token for each byte, so every file comes back byte for byte. Sizes are payloads of whole files in one lane, which were decoded",
        "and compared. No memory is added.",
        "",
        *markdown(head, rows),
        "",
        *(f"* {name}: {'; '.join(f'`{command}`' for command in m['commands'])}" for name, m in kept.items()),
        "",
    ]


# --- captions and pictures ------------------------------------------------------------------------------------------------
# Pairs of a caption ("a seven  ") and a binarized MNIST digit in one sequence of the tokenizer `segments`: half of the pairs caption
# first, half picture first. −log2 p of the parts of the first test pairs by exact steps, each behind a training pair.

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEXT, IMAGE = 0, 1
PAIRS = 1000


def labels(path: Path) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=8)


def caption(label: int) -> bytes:
    return f"a {NAMES[label]:<5}".encode()


def pieces(images: np.ndarray, digits: np.ndarray) -> list[tuple[bytes, bytes]]:
    """(caption, picture) as segments."""
    return [(join([(TEXT, caption(d))]), join([(IMAGE, image.tobytes())])) for image, d in zip(images, digits)]


def bits_of(model: Model, before: list[bytes], first: list[bytes], second: list[bytes]) -> float:
    """Mean −log2 p of the second parts after the first ones. Each pair is a sequence of its own behind another pair, as in the
    corpus; all are equally long."""
    lead = len(model.tokenizer.encode(before[0] + first[0]))
    return coded(model, [x + a + b for x, a, b in zip(before, first, second)]).mean(slice(lead, None))


def measure_pairs(setup: Setup) -> dict[str, Any]:
    minutes, work, data = setup.settings["training_minutes"], setup.work, setup.data
    names = {"train": "train-labels-idx1-ubyte.gz", "test": "t10k-labels-idx1-ubyte.gz"}
    train = np.load(data / "train/images/mnist/static_binarized_train_valid.npz")["train"]
    test = np.load(data / "bench/images/mnist_static_binarized_test.npz")["test"][:PAIRS]
    learned = pieces(train, labels(data / "train/images/mnist" / names["train"]))
    held = pieces(test, labels(data / "bench/images/mnist" / names["test"]))
    work.mkdir(parents=True, exist_ok=True)
    pairs, made = work / "pairs", b"".join(a + b if i % 2 else b + a for i, (a, b) in enumerate(learned))
    if not pairs.is_file() or pairs.read_bytes() != made:  # a run is resumed on the same corpus only
        pairs.write_bytes(made)
    settings = sets({"width": 192, "depth": 4, "hidden": 384, "online": 0})
    words_of_training = [*settings, "--no-memory", "--max-passes", "1000", "--rows", "32", "--window", "420", "-T", "1"]
    words = [
        ["train", "tokenizer", pairs, "-o", work / "tokenizer", "--kind", "segments", "--set", "parts=bytes,nibbles"],
        ["train", "prior", pairs, "-o", work / "model", "--tokenizer", work / "tokenizer", "--prior", "mingru",
         *words_of_training, "--max-minutes", f"{minutes:g}"],
    ]  # fmt: skip
    for each in words:
        setup.train([str(word) for word in each], Path(each[4]))
    model = load_folder(work / "model")
    captions, pictures = [a for a, _ in held], [b for _, b in held]
    nothing = [b""] * len(held)
    # in the corpus, picture first and caption first take turns
    then_picture, then_caption = ([x + y for x, y in learned[: len(held)]], [y + x for x, y in learned[: len(held)]])
    one = captions[0] + pictures[0]
    return {
        "minutes": minutes,
        "pairs": len(held),
        "picture alone": bits_of(model, then_picture, nothing, pictures),
        "picture after its caption": bits_of(model, then_caption, captions, pictures),
        "picture after another caption": bits_of(model, then_caption, captions[1:] + captions[:1], pictures),
        "caption alone": bits_of(model, then_caption, nothing, captions),
        "caption after its picture": bits_of(model, then_picture, pictures, captions),
        "round_trip": tokpress.decompress(tokpress.compress(one, model=model), model=model) == one,
        "model_bytes": model_bytes(model),
        "command": " ".join(str(word).replace(f"{work}/", "") for word in words[1]),
    }


@benchmark("multimodal", page="docs/multimodal.md", takes="20 minutes", settings={"training_minutes": 15.0})
class Multimodal(Benchmark):
    """One prior over captions and pictures: the bits that each saves of the other."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {"pairs": lambda: measure_pairs(setup)}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if m := results.values().get("pairs"):
            write_page(setup.docs / "multimodal.md", [*pairs_page(m), results.made_by()])
        return []


def pairs_page(m: dict[str, Any]) -> list[str]:
    wrong = m["picture after another caption"] - m["picture alone"]
    alone, told = m["picture alone"], m["picture after its caption"]
    rows = [[name, f"{m[name]:.2f}"] for name in m if name.startswith(("picture", "caption"))]
    return [
        "# One prior over captions and pictures",
        "",
        "The tokenizer `segments` gives several kinds of data one vocabulary, with a mark before each piece. Here a sequence holds a caption",
        '("a seven") and a binarized MNIST digit of 28 × 28 pixels, in either order. One prior, trained on 50,000 such pairs, predicts both.',
        f"The table has the bits of each part, −log₂ p by exact steps, as the mean of {m['pairs']:,} test pairs. Each test pair follows a",
        "training pair:",
        "",
        *markdown(["part", "bits"], rows),
        "",
        f"The caption saves {alone - told:.2f} bits of the picture, and the picture saves "
        f"{m['caption alone'] - m['caption after its picture']:.2f} bits of the caption. With a perfect prior both would save the same, at most "
        f"log₂ 10 = {math.log2(10):.2f} bits for ten digits. The caption of another picture changes the bits by {wrong:+.2f}.",
        "",
        f"The model is trained by `tokpress {m['command']}` and takes {m['model_bytes']:,} bytes.",
        "",
    ]
