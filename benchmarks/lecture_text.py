"""The lecture's sequence models on text, one token a byte, under one equal budget: docs/lecture_text.md.

    python benchmarks/lecture_text.py [--budget-minutes 60] [--minutes 10] [--again NAME …] [--measure] [--report]

lstm, transformer, linear_attention and ssm, each trained for `--minutes` on one core on the same 20 MB of English novels,
with the same batches. Then bits per byte of files of the bench (whole files, coded and compared after decoding), and
the speed of coding and decoding in 1, 16 and 128 lanes. What is measured is kept in benchmarks/results/lecture_text.json;
a call goes on where the last one stopped. --measure measures the models that are there once more: on a quiet machine, say.
"""

import json
import lzma
import math
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from data import FOLDER, ROOT, SCRATCH, expanded
from results import machine_line, markdown, unwind_when_terminated
from training import trained

from tokpress.coding import Frame
from tokpress.models.model import Model
from tokpress.models.store import load_folder, model_bytes
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "lecture_text.json"
CORPUS = ROOT.parent / "shared" / "data" / "train" / "text" / "novels_en.xz"
CORPUS_BYTES = 20_000_000
#: about as many parameters each
RUNS: dict[str, dict[str, Any]] = {
    "lstm": {"width": 320},
    "transformer": {"width": 96, "depth": 4},
    "linear_attention": {"width": 96, "depth": 4},
    "ssm": {"width": 96, "depth": 4},
}
FILES = ("text/canterbury/alice29.txt", "text/calgary/paper1")
#: lanes → tokens that are coded in them
LANES = {1: 2_000, 16: 24_000, 128: 128_000}


def command(name: str, corpus: Path, model: Path, minutes: float) -> list[str]:
    sets = [word for key, value in RUNS[name].items() for word in ("--set", f"{key}={value}")]
    limits = ["--max-minutes", f"{minutes:g}", "--max-passes", "1000", "-T", "1", "--rows", "32", "--window", "256"]
    words = ["train", "prior", str(corpus), "-o", str(model), "--prior", name, "--tokenizer", "bytes"]
    return [*words, *sets, "--no-memory", *limits]


def novels(work: Path, corpus: Path = CORPUS) -> Path:
    """The text to train on, in a file."""
    work.mkdir(parents=True, exist_ok=True)
    text = work / "novels.txt"
    if not text.is_file():
        with lzma.open(corpus) as file:
            text.write_bytes(file.read(CORPUS_BYTES))
    return text


def speed(model: Model, source: bytes, lanes: int) -> tuple[float, float]:
    """KB/s of encoding and of decoding, of this many lanes, the model loaded."""
    tokens = model.tokenizer.encode(source)
    codec = model.prior.codec(Frame(len(tokens), lanes))
    codec.encode(tokens[: 16 * lanes])
    begun = time.perf_counter()
    payload = codec.encode(tokens)
    encoded = time.perf_counter()
    same = np.array_equal(codec.decode(payload, len(tokens)), tokens)
    decoded = time.perf_counter()
    if not same:
        raise SystemExit(f"{model}: {lanes} lanes were not decoded back")
    return len(source) / 1000 / (encoded - begun), len(source) / 1000 / (decoded - encoded)


def measure(name: str, folder: Path, files: dict[str, Path], minutes: float) -> dict[str, Any]:
    model = load_folder(folder)
    sizes, source = {}, b""
    for file in FILES:
        data = files[file].read_bytes()
        payload, tokens, lanes = model.encode(data)  # `tokpress compress` would take lzma where that is smaller
        if model.decode(payload, tokens, lanes) != data:
            raise SystemExit(f"{name}: {file} was not decoded back")
        sizes[file] = [len(data), len(payload)]
        source += data
    curve = json.loads((folder / "training_curve.json").read_text())
    return {
        "command": "tokpress " + shlex.join(command(name, Path("novels.txt"), Path(name), minutes)),
        "parameters": int(sum(t.size for t in model.prior.tensors().values() if t.dtype == np.int8)),
        "model_bytes": model_bytes(model),
        "minutes": round(curve[-1]["seconds"] / 60, 1),
        "tokens": curve[-1]["tokens"],
        "held_out": curve[-1]["held_out_bits_per_byte"],
        "sizes": sizes,
        "speed": {lanes: [round(v, 2) for v in speed(model, source[:count], lanes)] for lanes, count in LANES.items()},
        "machine": describe("torch", "numpy"),
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def report(kept: dict[str, Any], path: Path) -> None:
    if not kept:
        return
    head = ["prior", "parameters", "training tokens/s", "bytes seen", "held out", *(f.split("/")[-1] for f in FILES)]
    rows, speeds = [], []
    for name, m in sorted(kept.items(), key=lambda item: item[1]["held_out"]):
        rates = [f"{8 * made / size:.3f}" for size, made in m["sizes"].values()]
        per_second = f"{m['tokens'] / m['minutes'] / 60:,.0f}"
        rows.append([name, f"{m['parameters']:,}", per_second, f"{m['tokens']:,}", f"{m['held_out']:.3f}", *rates])
        speeds.append([name, *(f"{a:.1f} / {b:.1f}" for a, b in m["speed"].values())])
    minutes = {m["minutes"] for m in kept.values()}
    path.write_text(
        "\n".join(
            [
                "# Sequence models of the lecture on text",
                "",
                f"One token a byte, {min(minutes):.0f} minutes of one core each (compiling included) on the same 20 MB of English",
                "novels, batches of 32 × 256 bytes. Bits per byte: held out of the novels (the trained form), and of whole files that",
                "were coded and decoded back, payloads, models not counted. No memory of what was coded is added. The machine trained",
                "something else meanwhile, so speeds compare with each other better than with those of other pages.",
                "",
                *markdown(head, rows),
                "",
                "Encoding / decoding, KB/s, the model loaded, in so many lanes:",
                "",
                *markdown(["prior", *(f"{lanes} lanes" if lanes > 1 else "1 lane" for lanes in LANES)], speeds),
                "",
                *(f"* {name}: `{m['command']}`" for name, m in kept.items()),
                "",
                f"`python benchmarks/lecture_text.py`; {machine_line(next(iter(kept.values()))['machine'])}.",
                "",
            ]
        ),
        "utf-8",
    )


@click.command()
@click.option("--budget-minutes", type=float, default=math.inf, help="Stop after this long; call again to go on.")
@click.option("--minutes", type=float, default=10.0, show_default=True, help="Of training, each.")
@click.option("--again", multiple=True, help="Forget what was measured of these, and their models.")
@click.option("--measure", "once_more", is_flag=True, help="Measure the models that are there anew.")
@click.option("--corpus", type=click.Path(path_type=Path), default=CORPUS, help="Text to train on (.xz).")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=FOLDER, help="The bench files.")
@click.option("--scratch", type=click.Path(path_type=Path), default=SCRATCH)
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".lecture" / "text", help="Models.")
@click.option("--report", "only_report", is_flag=True, help="Only write docs/lecture_text.md.")
def main(budget_minutes, minutes, again, once_more, corpus, data, scratch, work, only_report):
    unwind_when_terminated()
    begun = time.monotonic()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if not only_report:
        text = novels(work, corpus)
        files = expanded(data, scratch)
        for name in again:
            kept.pop(name, None)
            shutil.rmtree(work / name, ignore_errors=True)
        there = [name for name in RUNS if (work / name / "config.json").is_file()]
        for name in there if once_more else [name for name in RUNS if name not in kept]:
            left = budget_minutes - (time.monotonic() - begun) / 60
            if left < 1 or not trained(command(name, text, work / name, minutes), work / name, left):
                break
            kept[name] = measure(name, work / name, files, minutes)
            RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    report(kept, ROOT / "docs" / "lecture_text.md")


if __name__ == "__main__":
    main()
