"""Characters, words and byte pairs in front of one prior: docs/text_tokenizers.md.

    python benchmarks/text_tokenizers.py [--budget-minutes 40] [--minutes 5] [--again NAME …] [--report]

Each tokenizer is learned from the first 20 MB of the English novels, and a minGRU prior trained on its tokens for `--minutes` on
one core, by the command line; then whole files of the bench are coded and decoded back. Nothing is lost by any of them: what
is on no list is spelled out in bytes. Measurements are kept in benchmarks/results/text_tokenizers.json; a call goes on where the
last one stopped.
"""

import json
import math
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click
from data import FOLDER, ROOT, SCRATCH, expanded
from lecture_text import FILES, novels
from results import machine_line, markdown, unwind_when_terminated
from training import trained

from tokpress.models.store import load_folder, model_bytes
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "text_tokenizers.json"
#: name → (kind, most symbols)
RUNS = {
    "bytes": ("bytes", 256),
    "chars": ("chars", 512),
    "words": ("words", 4096),
    "bpe-512": ("bpe", 512),
    "bpe-1024": ("bpe", 1024),
    "bpe-4096": ("bpe", 4096),
    "bpe-16384": ("bpe", 16384),
}


def commands(name: str, corpus: Path, work: Path, minutes: float) -> list[list[str]]:
    kind, symbols = RUNS[name]
    learned = work / f"{name}.tokenizer"
    first = ["train", "tokenizer", str(corpus), "-o", str(learned), "--kind", kind, "--vocab-size", str(symbols)]
    second = [
        "train",
        "prior",
        str(corpus),
        "-o",
        str(work / name),
        "--prior",
        "mingru",
        "--no-memory",
        "--max-minutes",
    ]
    second += [
        f"{minutes:g}",
        "--max-passes",
        "1000",
        "-T",
        "1",
        "--set",
        "width=256",
        "--set",
        "depth=3",
        "--set",
        "hidden=512",
    ]
    return [[*second, "--tokenizer", kind]] if kind == "bytes" else [first, [*second, "--tokenizer", str(learned)]]


def measure(name: str, folder: Path, files: dict[str, Path], words: list[list[str]]) -> dict[str, Any]:
    model, sizes = load_folder(folder), {}
    for file in FILES:
        data = files[file].read_bytes()
        payload, tokens, lanes = model.encode(data, 1)
        if model.decode(payload, tokens, lanes) != data:
            raise SystemExit(f"{name}: {file} was not decoded back")
        sizes[file] = [len(data), tokens, len(payload)]
    curve = json.loads((folder / "training_curve.json").read_text())
    return {
        "commands": ["tokpress " + shlex.join(each) for each in words],
        "symbols": model.tokenizer.vocab_size,
        "model_bytes": model_bytes(model),
        "minutes": round(curve[-1]["seconds"] / 60, 1),
        "training_tokens": curve[-1]["tokens"],
        "sizes": sizes,
        "machine": describe("torch", "numpy", "tokenizers"),
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def report(kept: dict[str, Any], path: Path) -> None:
    if not kept:
        return
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
    lines = [
        "# Tokenizers of text",
        "",
        f"The same prior (minGRU, width 256, depth 3) behind each, trained for {minutes} minutes of one core on 20 MB of English",
        "novels. A larger vocabulary makes fewer tokens of more bits each; what is left to say a byte is their product. Words and",
        "characters that are on no list are spelled out in bytes, so every file comes back, byte for byte. Sizes are payloads of",
        "whole files in one lane, decoded back; no memory of what was coded is added.",
        "",
        *markdown(head, rows),
        "",
        *(f"* {name}: {'; '.join(f'`{command}`' for command in m['commands'])}" for name, m in kept.items()),
        "",
        f"`python benchmarks/text_tokenizers.py`; {machine_line(next(iter(kept.values()))['machine'])}.",
        "",
    ]
    path.write_text("\n".join(lines), "utf-8")


@click.command()
@click.option("--budget-minutes", type=float, default=math.inf, help="Stop after this long; call again to go on.")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="Of training, each.")
@click.option("--again", multiple=True, help="Measure these anew, with the models that are there.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=FOLDER, help="The bench files.")
@click.option("--scratch", type=click.Path(path_type=Path), default=SCRATCH)
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".tokenizers" / "text", help="Models.")
@click.option("--report", "only_report", is_flag=True, help="Only write docs/text_tokenizers.md.")
def main(budget_minutes, minutes, again, data, scratch, work, only_report):
    unwind_when_terminated()
    begun = time.monotonic()
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if not only_report:
        text, files = novels(work), expanded(data, scratch)
        for name in RUNS:
            if name in kept and name not in again:
                continue
            words = commands(name, text, work, minutes)
            for each in words:
                left = budget_minutes - (time.monotonic() - begun) / 60
                if left < 1 or not trained(each, Path(each[4]), left):
                    break
            else:
                kept[name] = measure(name, work / name, files, commands(name, Path("novels.txt"), Path(), minutes))
                RESULT.write_text(json.dumps(kept, indent=1) + "\n")
                print(f"{name}: {kept[name]['sizes']}", file=sys.stderr, flush=True)
                continue
            break
    report(kept, ROOT / "docs" / "text_tokenizers.md")


if __name__ == "__main__":
    main()
