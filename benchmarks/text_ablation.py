"""What each part of the text model is worth: docs/text_ablation.md.

    python benchmarks/text_ablation.py [--only NAME …] [--bytes 80000] [--report]

The shipped `text`, with one part left out or changed, on the development mix of text_dev.py, which is neither trained on nor
the bench. Nothing is trained anew: where weights are left out or made coarser, the others are as they were. Bits are −log2 p,
exactly as coding would charge them; seconds those of scoring. Measurements are kept in
benchmarks/results/text_ablation.json; a call goes on where the last one stopped.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from data import ROOT
from results import machine_line, markdown, unwind_when_terminated
from text_dev import TRAIN, mix, with_rate

from tokpress.coding import Frame
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import SpellingPrior
from tokpress.priors.text.mingru import MinGRUPrior
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "text_ablation.json"
PAGE = ROOT / "docs" / "text_ablation.md"
PROSE = ("novels_en", "books_en")


@dataclass
class Run:
    what: str
    make: Callable[[Model], Model]
    lanes: int | None = None


def reweighed(model: Model, change: Callable[[str, np.ndarray], np.ndarray]) -> Model:
    """With other int8 weights."""
    memory = model.prior
    assert isinstance(memory, MemoryPrior) and isinstance(memory.base, MinGRUPrior)
    tensors = {k: change(k, v) if v.dtype == np.int8 else v for k, v in memory.base.tensors().items()}
    return Model(model.tokenizer, MemoryPrior(MinGRUPrior(memory.base.config(), tensors)))


def coarser(bits: int) -> Callable[[Model], Model]:
    """Weights of 7 bits, rounded to as many."""
    step = 1 << (7 - bits)

    def rounded(name: str, q: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(q.astype(np.float32) / step) * step, -64, 63).astype(np.int8)

    return lambda model: reweighed(model, rounded)


def without_memory(model: Model) -> Model:
    assert isinstance(model.prior, MemoryPrior)
    return Model(model.tokenizer, model.prior.base)


RUNS = {
    "as shipped": Run("", lambda model: model),
    "no memory": Run("the network alone", without_memory),
    "no learning head": Run("`online=0`", lambda model: with_rate(model, 0)),
    "neither": Run("", lambda model: without_memory(with_rate(model, 0))),
    "no n-gram tables": Run(
        "set to 0, after training with them", lambda model: reweighed(model, lambda k, q: q * 0 if "gram" in k else q)
    ),
    "no network": Run("the memory over counts of tokens", lambda model: Model(model.tokenizer, MemoryPrior(HistogramPrior(model.tokenizer.vocab_size)))),
    "no tokens": Run("`adaptive`: context mixing of bytes", lambda model: store.load("adaptive")),
    "spelled": Run("mixed with contexts of bytes, bit by bit", lambda model: Model(model.tokenizer, SpellingPrior(model.prior))),
    "weights of 6 bits": Run("of 7, rounded after training", coarser(6)),
    "weights of 5 bits": Run("", coarser(5)),
    "weights of 4 bits": Run("", coarser(4)),
    "1 lane": Run("by the rule: one for some 1,024 tokens, at most 128", lambda model: model, 1),
    "16 lanes": Run("", lambda model: model, 16),
    "64 lanes": Run("", lambda model: model, 64),
    "256 lanes": Run("", lambda model: model, 256),
}  # fmt: skip


def measure(run: Run, pieces: dict[str, bytes]) -> dict[str, Any]:
    model, out = run.make(store.load("text")), {}
    for name, piece in pieces.items():
        tokens = model.tokenizer.encode(piece)
        lanes = run.lanes or model.prior.lanes(len(tokens))
        begun = time.perf_counter()
        bits = model.prior.codec(Frame(len(tokens), lanes)).score(tokens).sum()
        out[name] = {"bytes": len(piece), "bits": float(bits), "seconds": round(time.perf_counter() - begun, 2)}
    return out


def report(kept: dict[str, Any]) -> None:
    rows, base = [], None
    for name, run in RUNS.items():
        if name not in kept["runs"]:
            continue
        found = kept["runs"][name]
        rates = {key: each["bits"] / each["bytes"] for key, each in found.items()}
        mean = float(np.mean(list(rates.values())))
        base = mean if base is None else base
        prose = float(np.mean([rates[key] for key in PROSE]))
        seconds = sum(each["seconds"] for each in found.values())
        size = sum(each["bytes"] for each in found.values())
        rows.append(
            [name, run.what, f"{mean:.4f}", f"{mean / base - 1:+.1%}", f"{prose:.4f}", f"{rates['packages']:.4f}",
             f"{size / seconds / 1e3:.0f}"]
        )  # fmt: skip
    lines = [
        "# What each part of the text model is worth",
        "",
        "The shipped `text` with one part left out or changed, on a mix that it was not trained on and that is not the bench:",
        "the ends of ten kinds of text (the last {} bytes of each), and 2 MB of package descriptions. Nothing is trained".format(
            f"{kept['runs']['as shipped']['novels_en']['bytes']:,}"
        ),
        "anew, so that what is left out of the network was not made up for.",
        "",
        *markdown(
            [
                "text",
                "",
                "bits per byte, mean of the rates",
                "against it",
                "novels and books",
                "package descriptions",
                "KB/s, one core",
            ],
            rows,
        ),
        "",
        "Vocabularies are compared in [text_tokenizers.md](text_tokenizers.md).",
        "",
        f"`python benchmarks/text_ablation.py`, {kept['measured']}, {machine_line(kept['machine'])}.",
        "",
    ]
    PAGE.write_text("\n".join(lines), "utf-8")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(RUNS)), help="Measure these anew.")
@click.option("--bytes", "count", default=80_000, show_default=True, help="Of the end of each training text.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=TRAIN)
@click.option("--report", "only_report", is_flag=True, help="Only write docs/text_ablation.md.")
def main(only, count, data, only_report):
    unwind_when_terminated()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {"runs": {}}
    pieces = {} if only_report else mix(data, count)
    for name in () if only_report else only or RUNS:
        if only or name not in kept["runs"]:
            measure(RUNS[name], {"warm": b"to compile what is compiled; " * 4000})
            kept["runs"][name] = measure(RUNS[name], pieces)
            kept |= {
                "machine": describe("numpy"),
                "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            }
            RESULT.write_text(json.dumps(kept, indent=1) + "\n")
            print(name, flush=True)
    report(kept)


if __name__ == "__main__":
    main()
