"""Write docs/lecture.md, its plots, and the figures of docs/priors/*.md from the stored runs."""

import math
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..pages import markdown, write_part
from ..store import Results
from .runs import CIFAR, DATA, GREY, LOCATION, MNIST, ORDERS, PIXEL_RNN, REMARKS, RUNS, WHY_NOT, Data, Run

HEAD = [
    "run", "{unit}", "asked", "tokens", "parameters", "model bytes", "training", "images seen", "encode {images:,}",
    "decode {decoded:,}", "others",
]  # fmt: skip
#: of the benchmark, in the marks of its pages
NAME = "lecture"
Kept = dict[str, dict[str, Any]]


def figure(data: str, bits: float) -> float:
    """Bits of an image in the unit that is usual for it."""
    dims = DATA[data].dims
    return bits / dims if dims else bits * math.log(2)


def told(m: dict[str, Any]) -> float:
    """The result: of the file of all test images."""
    return figure(m["data"], m["coded_bytes"] * 8 / m["images"])


def report(results: Results, docs: Path) -> None:
    """Write everything anew; nothing where nothing has been measured."""
    found = results.values()
    kept = {run.name: found[run.name] for run in RUNS if run.name in found}
    if not kept:
        return
    runs = {run.name: run for run in RUNS}
    lines: list[str] = []
    for data, title in ((MNIST, "Binarized MNIST"), (GREY, "MNIST in 256 levels"), (CIFAR, "CIFAR-10")):
        mine = {name: m for name, m in kept.items() if m["data"] == data.name}
        if mine:
            lines += [f"### {title}", "", *_table(mine, runs, data), ""]
            missed = [runs[n] for n, m in mine.items() if runs[n].aim and told(m) > runs[n].aim]
            lines += [f"* {run.name} missed its aim: {run.note}." for run in missed if run.note] + [""] * bool(missed)
            if plot(mine, docs / f"lecture_{data.name}.png", data.unit):
                lines += [f"![Held-out {data.unit} while training](lecture_{data.name}.png)", ""]
    lines += [*_claims(kept, runs), *_formats(kept), *_samples(kept, docs)]
    lines += ["### Commands and machines", "", *(f"* {name}: `{m['command']}`" for name, m in kept.items()), ""]
    lines.append(results.made_by(kept))
    write_part(docs / "lecture.md", NAME, lines)
    for path in sorted((docs / "priors").glob("*.md")):
        mine = {name: m for name, m in kept.items() if m["prior"] == path.stem}
        if mine:
            all_runs = "Measured by the size of a file of all test images: [all runs](../lecture.md)."
            write_part(path, NAME, [*_short(mine, runs, kept), "", all_runs])


def _table(kept: Kept, runs: dict[str, Run], data: Data) -> list[str]:
    head = [each.format(unit=data.unit, images=data.images, decoded=data.decoded) for each in HEAD]
    return markdown(head, [_row(runs[name], m, kept) for name, m in sorted(kept.items(), key=lambda i: told(i[1]))])


def _row(run: Run, m: dict[str, Any], kept: Kept) -> list[str]:
    asked = f"≤ {run.aim:g}: {'reached' if told(m) <= run.aim else '**missed**'}" if run.aim else "–"
    decoded = f"{m['decode_seconds']:.0f} s" if m["decoded_images"] else "FAILED"
    return [
        run.name, f"{told(m):.2f}", asked, run.tokenizer, f"{m['parameters']:,}", f"{m['model_bytes']:,}",
        _minutes(run, kept), f"{m['training_images']:,}" if "training_images" in m else "–",
        f"{m['encode_seconds']:.0f} s", decoded, run.peer or "–",
    ]  # fmt: skip


def _minutes(run: Run, kept: Kept) -> str:
    """Of one core: what two cores would take in half the time."""
    if run.members:
        return f"{sum(_spent(name, kept) for name in run.members):.0f} core min, all members"
    m = kept[run.name]
    if "training_minutes" not in m:
        return "counted"
    if run.prior == "hierarchical":  # whose stages share the time; the curve is of the last one
        return f"{run.minutes * m['threads']:.0f} core min, all stages"
    own = f"{m['training_minutes'] * m['threads']:.0f} core min"
    return f"{own} after {run.init}" if run.init else own


def _spent(name: str, kept: Kept) -> float:
    """Minutes of one core, with those of the run that it goes on from."""
    if name not in kept:
        return 0.0
    init = next(run.init for run in RUNS if run.name == name)
    m = kept[name]
    return float(m["training_minutes"] * m["threads"]) + (_spent(init, kept) if init else 0.0)


def _short(mine: Kept, runs: dict[str, Run], kept: Kept) -> list[str]:
    rows = []
    for name, m in mine.items():
        run = runs[name]
        settings = ", ".join(run.members) or _settings(m["command"]) or "defaults"
        rows.append(
            [name, settings, run.tokenizer, _minutes(run, kept), f"{told(m):.2f} {run.data.unit}", run.peer or "–"]
        )
    return markdown(["run", "settings", "tokenizer", "training", "measured", "others"], rows)


def _settings(command: str) -> str:
    """Those that were measured, which a later edit of the runs does not change."""
    words = shlex.split(command)
    sets = [value for word, value in pairwise(words) if word == "--set"]
    return ", ".join(each for each in sets if not each.startswith(("shape=", "given=")))


def _claims(kept: Kept, runs: dict[str, Run]) -> list[str]:
    """The lecture's claims beside the measured runs."""
    out = []
    for name in LOCATION:
        if f"{name}_location" in kept and name in kept:
            with_it, without = told(kept[f"{name}_location"]), told(kept[name])
            verdict = "helps" if with_it < without else "does not help"
            told_why = "" if with_it < without else f" {WHY_NOT}"
            out.append(f"* Location {verdict} {name}: {with_it:.2f} nats with it, {without:.2f} without.{told_why}")
    orders = {order: told(kept[f"made_{order}"]) for order in ORDERS if f"made_{order}" in kept}
    if len(orders) > 1:
        spread = max(orders.values()) - min(orders.values())
        out.append(
            f"* {len(orders)} orders of MADE lie within {spread:.2f} nats of each other (asked: 2): "
            + ", ".join(f"{order} {value:.2f}" for order, value in sorted(orders.items(), key=lambda i: i[1]))
            + "."
        )
    best = min((told(m), name) for name, m in kept.items() if m["data"] == "mnist" and not runs[name].given)
    verdict = "is under" if best[0] < PIXEL_RNN else "does not reach"
    out.append(f"* The best run, {best[1]} with {best[0]:.2f} nats, {verdict} PixelRNN's {PIXEL_RNN:.2f}.")
    out += [f"* {line}" for name, line in REMARKS.items() if name in kept]
    return ["### Findings", "", *out, ""] if out else []


def _formats(kept: Kept) -> list[str]:
    """Picture formats on the CIFAR test images."""
    for m in kept.values():
        if "picture_formats" in m:
            dims = m["images"] * CIFAR.dims
            sizes = ", ".join(f"{name} {8 * size / dims:.2f}" for name, size in m["picture_formats"].items())
            return [f"The same {m['images']} images as a file each in picture formats, in bits per dim: {sizes}.", ""]
    return []


def _samples(kept: Kept, docs: Path) -> list[str]:
    """Pictures drawn from the models."""
    names = [name for name in kept if (docs / "samples" / f"{name}.png").is_file()]
    if not names:
        return []
    pictures = [f"![{name}](samples/{name}.png)" for name in names]
    out = [
        "### Samples",
        "",
        "Sixteen pictures drawn from each: `tokpress sample --items 16 --seed 1 --png 28x28` (CIFAR: 32x32x3).",
        "",
    ]
    for at in range(0, len(names), 4):
        row = slice(at, at + 4)
        out += [*markdown(names[row], [pictures[row]]), ""]
    return out


def plot(kept: Kept, path: Path, unit: str) -> bool:
    """Whether there is anything to draw."""
    if not any(len(m.get("curve", [])) > 1 for m in kept.values()):
        path.unlink(missing_ok=True)
        return False
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    ends = []
    for name, m in sorted(kept.items(), key=lambda item: told(item[1])):
        if len(m.get("curve", [])) > 1:
            minutes, held_out = zip(*m["curve"])
            axes.plot([t * m["threads"] for t in minutes], held_out, label=f"{name}, {told(m):.2f}")
            ends.append(held_out[-1])
    axes.set(xlabel="minutes of one core", ylabel=f"{unit}, held out of the training images")
    axes.set_ylim(min(ends) * 0.97, max(ends) * 1.2)
    axes.legend(title="in the order of the test result", fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return True
