"""docs/lecture.md, its plot and the figures in docs/priors/*.md, from what benchmarks/lecture.py measured."""

import re
from pathlib import Path
from typing import Any

from results import machine_line, markdown

BEGIN, END = "<!-- measured: benchmarks/lecture.py writes what follows -->", "<!-- end of measured -->"
HEAD = [
    "run",
    "nats per image",
    "asked",
    "parameters",
    "model bytes",
    "training",
    "images seen",
    "encode 10,000",
    "decode 1,000",
]


def report(kept: dict[str, Any], docs: Path) -> None:
    """Write everything anew; nothing where nothing has been measured."""
    if not kept:
        return
    page = docs / "lecture.md"
    picture = plot(kept, docs / "lecture.png")
    machines = sorted({machine_line(m["machine"]) for m in kept.values()})
    lines = [
        *markdown(
            HEAD, [_row(name, m) for name, m in sorted(kept.items(), key=lambda item: item[1]["nats_per_image"])]
        ),
        "",
        *(["![Held-out nats per image while training](lecture.png)", ""] if picture else []),
        *(f"Machine: {line}." for line in machines),
        "",
        "Commands:",
        "",
        *(f"* {name}: `{m['command']}`" for name, m in kept.items()),
    ]
    _replace(page, lines)
    for path in sorted((docs / "priors").glob("*.md")):
        mine = {name: m for name, m in kept.items() if m["run"]["prior"] == path.stem}
        if mine:
            _replace(
                path, [*_short(mine), "", f"Binarized MNIST, 10,000 test images; [all of them]({'../lecture.md'})."]
            )


def _row(name: str, m: dict[str, Any]) -> list[str]:
    aim = m["run"]["aim"]
    asked = f"≤ {aim:g}: {'reached' if m['nats_per_image'] <= aim else 'missed'}" if aim else "–"
    decoded = f"{m['decode_seconds_1000']:.0f} s" if m["decoded_images"] else "FAILED"
    return [
        name, f"{m['nats_per_image']:.2f}", asked, f"{m['parameters']:,}", f"{m['model_bytes']:,}",
        f"{m['training_minutes']:.0f} min", f"{m['training_images']:,}", f"{m['encode_seconds_10000']:.0f} s", decoded,
    ]  # fmt: skip


def _short(kept: dict[str, Any]) -> list[str]:
    rows = []
    for name, m in kept.items():
        settings = ", ".join(f"{k}={v}" for k, v in m["run"]["settings"].items()) or "as they come"
        minutes = f"{m['training_minutes']:.0f} min"
        rows.append(
            [name, settings, m["run"]["tokenizer"], minutes, f"{m['nats_per_image']:.2f}", m["run"]["peer"] or "–"]
        )
    return markdown(["run", "settings", "tokenizer", "training", "nats per image", "others"], rows)


def _replace(path: Path, lines: list[str]) -> None:
    text = path.read_text("utf-8")
    block = "\n".join([BEGIN, *lines, END])
    path.write_text(re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.S), "utf-8")


def plot(kept: dict[str, Any], path: Path) -> bool:
    """Whether there is anything to draw."""
    if not any(len(m.get("curve", [])) > 1 for m in kept.values()):
        path.unlink(missing_ok=True)
        return False
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, m in sorted(kept.items(), key=lambda item: item[1]["nats_per_image"]):
        if len(m.get("curve", [])) > 1:
            axes.plot(*zip(*m["curve"]), label=f"{name}, {m['nats_per_image']:.1f}")
    axes.set(xlabel="minutes of training", ylabel="nats per image, held out of the training images", ylim=(75, 130))
    axes.legend(title="in the order of the test result", fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return True
