"""The text models: the worth of each part, rates in context, the development mix, trials, and cuts.

The development mix has the last bytes of each training text and the first 2 MB of the package descriptions. The shipped models were
trained on neither: training holds out the last 32,768 tokens of each file. Experiments are tried on this mix and not on the test
files. Bits are −log2 p, as coding would charge them.
"""

import lzma
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

import tokpress
from tokpress.bench.report import PACKAGES
from tokpress.codec import choose, options, selection
from tokpress.codec.efforts import EFFORTS
from tokpress.coding import Frame
from tokpress.container.lzma2 import QUICK, lzma_encode
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.native.context_mixing import encode
from tokpress.priors.base import Prior, SteppedPrior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.parts import innermost
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.priors.text.mingru import MinGRUPrior

from .data import ENGLISH, MIXED, chosen
from .pages import markdown, write_page
from .registry import Benchmark, Cases, Setup, benchmark
from .store import Results

RECORDS_BYTES = 2_000_000


def mix(folder: Path, count: int) -> dict[str, bytes]:
    """The development mix: name → bytes. `folder`: the training data; `count`: bytes of the end of each text."""
    pieces = {}
    for path in sorted((folder / "text").glob("*.xz")):
        pieces[path.stem] = lzma.decompress(path.read_bytes())[-count:]
    with lzma.open(folder / "records" / "packages.txt.xz") as file:
        pieces["packages"] = file.read(RECORDS_BYTES)
    return pieces


def network_of(model: Model) -> MinGRUPrior:
    """The network inside the memory and the mixing of the shipped `text`."""
    network = innermost(model.prior)
    assert isinstance(network, MinGRUPrior)
    return network


def around(model: Model, prior: Prior, memory: bool = True, mixing: bool = True) -> Model:
    """Another prior in the place of the network."""
    inside: Prior = MemoryPrior(prior) if memory else prior
    return Model(model.tokenizer, BitwisePrior(cast(SteppedPrior, inside)) if mixing else inside)


def with_rate(model: Model, rate: float) -> Model:
    """The same weights, with another learning rate of the head."""
    network = network_of(model)
    made = around(model, MinGRUPrior({**network.config(), "online": rate}, network.tensors()))
    return Model(made.tokenizer, made.prior, name=f"{model.name}, online {rate:g}")


def bits(model: Model, data: bytes) -> float:
    tokens = model.tokenizer.encode(data)
    codec = model.prior.codec(Frame(len(tokens), model.prior.rules.lanes(len(tokens))))
    return float(codec.score(tokens).sum())


@benchmark("text_dev", takes="1 minute a model", settings={"models": ("text",), "online": (), "bytes": 80_000})
class TextDev(Benchmark):
    """Bits per byte of text models on the development mix, for quick experiments.

    Settings: models, rates at which the head learns (none: as shipped), bytes of the end of each training text.
    """

    stored = False

    def cases(self, setup: Setup) -> Cases:
        models = [store.load(name) for name in setup.settings["models"]]
        if rates := setup.settings["online"]:
            models = [with_rate(model, float(rate)) for model in models for rate in rates]

        def one(piece: bytes) -> dict[str, Any]:
            found = {}
            for model in models:
                begun = time.monotonic()
                rate = bits(model, piece) / len(piece)
                found[model.name] = {"bytes": len(piece), "rate": rate, "seconds": time.monotonic() - begun}
            return found

        pieces = mix(setup.train_data, setup.settings["bytes"])
        return {name: lambda piece=piece: one(piece) for name, piece in pieces.items()}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if not (found := results.values()):
            return []
        models = list(next(iter(found.values())))
        rows = [
            [name, f"{next(iter(m.values()))['bytes']:,}", *(f"{m[model]['rate']:.4f}" for model in models)]
            for name, m in found.items()
        ]
        means = [np.mean([m[model]["rate"] for m in found.values()]) for model in models]
        seconds = [sum(m[model]["seconds"] for m in found.values()) for model in models]
        rows.append(["mean of the rates", "", *(f"{mean:.4f}" for mean in means)])
        rows.append(["seconds", "", *(f"{each:.1f}" for each in seconds)])
        return markdown(["bits per byte", "bytes", *models], rows)


# --- the worth of each part ----------------------------------------------------------------------------------------

PROSE = ("novels_en", "books_en")


@dataclass
class Variant:
    about: str
    make: Callable[[Model], Model]
    lanes: int | None = None


def reweighed(model: Model, change: Callable[[str, np.ndarray], np.ndarray]) -> Model:
    """The same model with other int8 weights."""
    network = network_of(model)
    tensors = {k: change(k, v) if v.dtype == np.int8 else v for k, v in network.tensors().items()}
    return around(model, MinGRUPrior(network.config(), tensors))


def coarser(bits: int) -> Callable[[Model], Model]:
    """Weights of 7 bits, rounded to `bits`."""
    step = 1 << (7 - bits)

    def rounded(name: str, q: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(q.astype(np.float32) / step) * step, -64, 63).astype(np.int8)

    return lambda model: reweighed(model, rounded)


VARIANTS = {
    "as shipped": Variant("", lambda model: model),
    "no mixing": Variant("the network and its memory", lambda model: around(model, network_of(model), mixing=False)),
    "no memory": Variant("the network, mixed with contexts", lambda model: around(model, network_of(model), memory=False)),
    "neither": Variant("the network alone", lambda model: around(model, network_of(model), False, False)),
    "a learning head": Variant("`online=0.001`", lambda model: with_rate(model, 0.001)),
    "no n-gram tables": Variant(
        "set to 0 after training", lambda model: reweighed(model, lambda k, q: q * 0 if "gram" in k else q)
    ),
    "no tokens": Variant("`context-mixing`: context mixing of bytes", lambda model: store.load("context-mixing")),
    "weights of 6 bits": Variant("of 7, rounded after training", coarser(6)),
    "weights of 5 bits": Variant("", coarser(5)),
    "weights of 4 bits": Variant("", coarser(4)),
    "1 lane": Variant("default: one for 4,096 tokens (2,048 from 2^17 tokens on), at most 128", lambda model: model, 1),
    "16 lanes": Variant("", lambda model: model, 16),
    "64 lanes": Variant("", lambda model: model, 64),
    "256 lanes": Variant("", lambda model: model, 256),
}  # fmt: skip


def scored(variant: Variant, pieces: dict[str, bytes]) -> dict[str, Any]:
    model, out = variant.make(store.load("text")), {}
    for name, piece in pieces.items():
        tokens = model.tokenizer.encode(piece)
        lanes = variant.lanes or model.prior.rules.lanes(len(tokens))
        begun = time.perf_counter()
        bits = model.prior.codec(Frame(len(tokens), lanes)).score(tokens).sum()
        out[name] = {"bytes": len(piece), "bits": float(bits), "seconds": round(time.perf_counter() - begun, 2)}
    return out


@benchmark("text_ablation", page="docs/text_ablation.md", takes="15 minutes", settings={"bytes": 80_000})
class TextAblation(Benchmark):
    """The shipped `text` with one part left out or changed, on the development mix; nothing is trained again.

    Settings: bytes of the end of each training text.
    """

    def cases(self, setup: Setup) -> Cases:
        def one(variant: Variant) -> dict[str, Any]:
            scored(variant, {"warm": b"for loops that run for the first time; " * 4000})
            return scored(variant, mix(setup.train_data, setup.settings["bytes"]))

        return {name: lambda variant=variant: one(variant) for name, variant in VARIANTS.items()}

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if "as shipped" in found:
            write_page(setup.docs / "text_ablation.md", ablation(found, results.made_by()))
        return []


def ablation(runs: dict[str, Any], made_by: str) -> list[str]:
    rows, base = [], None
    for name, variant in VARIANTS.items():
        if name not in runs:
            continue
        found = runs[name]
        rates = {key: each["bits"] / each["bytes"] for key, each in found.items()}
        mean = float(np.mean(list(rates.values())))
        base = mean if base is None else base
        prose = float(np.mean([rates[key] for key in PROSE]))
        seconds = sum(each["seconds"] for each in found.values())
        size = sum(each["bytes"] for each in found.values())
        rows.append(
            [name, variant.about, f"{mean:.4f}", f"{mean / base - 1:+.1%}", f"{prose:.4f}", f"{rates['packages']:.4f}",
             f"{size / seconds / 1e3:.0f}"]
        )  # fmt: skip
    return [
        "# Parts of the text model",
        "",
        "The shipped `text` with one part left out or changed, on the development mix: the last {} bytes of each of ten kinds of text, and 2 MB of".format(
            f"{runs['as shipped']['novels_en']['bytes']:,}"
        ),
        "package descriptions. The model was not trained on this mix, and the mix is not part of the test files. Nothing is trained again, so the",
        "other parts could not adapt to the change.",
        "",
        *markdown(
            ["text", "", "bits per byte, mean of the rates", "against shipped", "novels and books", "package descriptions",
             "KB/s, one core"],
            rows,
        ),
        "",
        "[Tokenizers of text](text_tokenizers.md) compares vocabularies.",
        "",
        made_by,
    ]  # fmt: skip


# --- rates in context -------------------------------------------------------------------------------------------

CONTEXT_BYTES = 40_000
#: (scored, read before, about the second), from the test files; #1 and #2 are the halves of the first 2 · CONTEXT_BYTES
PAIRS = [
    ("text/calgary/paper2", "text/calgary/paper1", "another paper on computing"),
    ("text/calgary/progp", "text/calgary/progc", "a program in another language"),
    ("logs/HDFS_2k.log#2", "logs/HDFS_2k.log#1", "the log's first half"),
    ("logs/Apache_2k.log#2", "logs/Apache_2k.log#1", "the log's first half"),
    ("text/canterbury/alice29.txt#2", "text/canterbury/alice29.txt#1", "the book's first half"),
    ("text/canterbury/alice29.txt#2", "logs/HDFS_2k.log#1", "an unrelated log"),
]


def half(files: dict[str, Path], name: str) -> bytes:
    path, _, number = name.partition("#")
    data = files[path].read_bytes()
    return data[CONTEXT_BYTES : 2 * CONTEXT_BYTES] if number == "2" else data[:CONTEXT_BYTES]


@benchmark("in_context", page="docs/in_context.md", takes="1 minute")
class InContext(Benchmark):
    """Bits per byte of a file after the text model has read another file: `tokpress score --context`."""

    packages = PACKAGES

    def cases(self, setup: Setup) -> Cases:
        model, files = tokpress.load("text"), setup.bench
        found: Cases = {}
        for name, before, _ in PAIRS:
            if all(each.partition("#")[0] in files for each in (name, before)):
                found[name] = lambda name=name: model.score(half(files, name)).bits_per_byte
                found[f"{name} given {before}"] = lambda name=name, before=before: (
                    model.score(half(files, name), context=half(files, before)).bits_per_byte
                )
        return found

    def report(self, results: Results, setup: Setup) -> list[str]:
        rows, found = [], results.values()
        for name, before, about in PAIRS:
            alone, given = found.get(name), found.get(f"{name} given {before}")
            if alone and given:
                rows.append(
                    [name, f"{before}: {about}", f"{alone:.3f}", f"{given:.3f}", f"{100 * (given / alone - 1):+.1f} %"]
                )
        if rows:
            lines = [
                "# In context",
                "",
                "A model that has read a similar file may predict a file better, without training: the recurrent state and the memory of earlier tokens",
                "carry over. A file of another kind may do harm. `tokpress score --context FIRST SECOND` measures the effect. The table has",
                "bits per byte of 40,000 bytes (`#1`, `#2`: the first and the second 40,000 bytes of a file) under the shipped text model in one",
                "lane:",
                "",
                *markdown(["scored", "context, not counted", "alone", "in context", ""], rows),
                "",
                results.made_by(),
            ]
            write_page(setup.docs / "in_context.md", lines)
        return []


# --- trials, and cuts --------------------------------------------------------------------------


@benchmark("trials", takes="1 hour")
class Trials(Benchmark):
    """How well a trial on parts of a large file predicts the best shipped model: the data behind tokpress/codec/selection.py.

    A line for each test file, or FILE, has bytes of source and bytes of lzma's output for each token of the text model (PROSE_BYTES,
    PROSE_LZMA), then bits per byte of the trial and of the first frame under both models. The last column compares the gain of the
    context-mixing model, from trial to frame, with that of the text model (STARTS_EMPTY).
    """

    takes_files = True
    stored = False

    def cases(self, setup: Setup) -> Cases:
        files = setup.sources if setup.files else chosen(setup.bench, (*ENGLISH, *MIXED))
        return {name: lambda path=path: trial(path) for name, path in files.items()}

    def report(self, results: Results, setup: Setup) -> list[str]:
        names = EFFORTS["default"][0]
        head = [
            "file",
            "bytes",
            "a token",
            "lzma's for it",
            *(f"{part}, {name}" for part in ("trial", "whole") for name in names),
            "gained",
            "lzma over quick",
        ]
        rows = [
            [name, f"{m['bytes']:,}", f"{m['token']:.2f}", f"{m['lzma']:.2f}", *(f"{rate:.3f}" for rate in m["rates"]),
             f"{m['rates'][3] / m['rates'][2] / (m['rates'][1] / m['rates'][0]):.3f}", f"{m['quick']:.3f}"]
            for name, m in results.values().items()
            if m
        ]  # fmt: skip
        return markdown(head, rows)


def trial(path: Path) -> dict[str, Any] | None:
    """None where the file is coded without a trial."""
    models = [store.load(name) for name in EFFORTS["default"][0]]
    source = path.read_bytes()[: options.FRAME_SIZE]
    if len(source) <= selection.TRIAL_SIZE:
        return None
    part, _ = choose.part_to_try(source, None)
    if choose.is_hopeless(models[0], part):
        return None
    tokens = len(models[0].tokenizer.encode(part))
    rates = [8 * len(model.encode(data)[0]) / len(data) for data in (part, source) for model in models]
    quick = len(lzma_encode(source)) / len(lzma_encode(source, QUICK))
    return {
        "bytes": len(source),
        "token": len(part) / tokens,
        "lzma": len(lzma_encode(part)) / tokens,
        "rates": rates,
        "quick": quick,
    }


PIECES = (2, 4, 8)


@benchmark("cuts", takes="1 minute for 10 MB")
class Cuts(Benchmark):
    """Bytes that context mixing loses if a FILE is cut into 2, 4 or 8 pieces that are coded independently."""

    takes_files = True
    stored = False

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda path=path: in_pieces(path.read_bytes()) for name, path in setup.sources.items()}

    def report(self, results: Results, setup: Setup) -> list[str]:
        rows = [
            [
                name,
                f"{m['bytes']:,}",
                f"{m['coded'][0]:,}",
                *(f"{size / m['coded'][0] - 1:+.2%}" for size in m["coded"][1:]),
            ]
            for name, m in results.values().items()
            if m["coded"][0]
        ]
        return markdown(["file", "bytes", "coded", *(f"{count} pieces" for count in PIECES)], rows)


def in_pieces(data: bytes) -> dict[str, Any]:
    coded = []
    for count in (1, *PIECES):
        size = max(1, -(-len(data) // count))
        coded.append(sum(len(encode(data[at : at + size])) for at in range(0, len(data), size)))
    return {"bytes": len(data), "coded": coded}
