"""Bits per byte against parameters and against bytes of corpus, with a power law where the points lie on one (GPT-2, GPT-3, iGPT).

All models are trained by the command line, for the same number of steps. The model of middle size with all of the corpus is a
point of both curves.
"""

import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.models.loading import load_folder

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results
from ..training import curve_of, limits, parameters, sets
from .coded import payload_of
from .sequences import novels

WIDTHS = (8, 16, 32, 64)
#: bytes of corpus
SIZES = (75_000, 225_000, 675_000, 2_025_000)
#: the model of the curve over sizes, and the corpus of the curve over widths
WIDTH, SIZE = 64, SIZES[-1]
POINTS = [*((width, SIZE) for width in WIDTHS), *((WIDTH, size) for size in SIZES[:-1])]
#: English of another author, and how much of it
HELD_OUT, HELD_OUT_BYTES = "silesia/dickens", 500_000
#: a power law is told where it misses no point by more than this share of the change from the first point to the last one
MAX_MISS = 0.05


def name_of(width: int, size: int) -> str:
    return f"width {width}, {size} bytes"


def command(corpus: Path | str, model: Path | str, width: int, steps: int) -> list[str]:
    words = [
        "train",
        "prior",
        str(corpus),
        "-o",
        str(model),
        "--prior",
        "mingru",
        "--tokenizer",
        "bytes",
        "--no-memory",
    ]
    words += sets({"width": width, "depth": 2, "hidden": 2 * width, "online": 0})
    return [*words, "--window", "128", *limits(steps)]


def corpus(setup: Setup, size: int) -> Path:
    path = setup.work / f"novels_{size}.txt"
    if not path.is_file():
        path.write_bytes(novels(setup).read_bytes()[:size])
    return path


@benchmark("scaling", page="docs/scaling.md", takes="10 minutes", settings={"steps": 300})
class Scaling(Benchmark):
    """Bits per byte of English against the parameters of a model and against the bytes that it learned from."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {name_of(*point): lambda point=point: self.one(setup, *point) for point in POINTS}

    def one(self, setup: Setup, width: int, size: int) -> dict[str, Any]:
        steps, folder = setup.settings["steps"], setup.work / f"{width}_{size}"
        setup.work.mkdir(parents=True, exist_ok=True)
        setup.train(command(corpus(setup, size), folder, width, steps), folder)
        model, last = load_folder(folder), curve_of(folder)[-1]
        source = setup.bench[HELD_OUT].read_bytes()[:HELD_OUT_BYTES]
        return {
            "command": "tokpress " + shlex.join(command(f"novels_{size}.txt", folder.name, width, steps)),
            "parameters": parameters(model),
            "minutes": round(last["seconds"] / 60, 2),
            "tokens": last["tokens"],
            "source_bytes": len(source),
            "payload_bytes": len(payload_of(model, HELD_OUT, source)[0]),
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if all(name_of(*point) in found for point in POINTS):
            write_page(setup.docs / "scaling.md", [*page(found), results.made_by()])
            plot(found, setup.docs / "scaling.png")
        return []


def rate(m: dict[str, Any]) -> float:
    return 8 * m["payload_bytes"] / m["source_bytes"]


def power_law(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """(c, α, largest miss) of y = c·x^−α by least squares of the logarithms. The miss is a share of the change of log y.

    >>> c, alpha, miss = power_law([1, 10, 100], [4, 2, 1])
    >>> round(c, 3), round(alpha, 3), miss < 1e-9
    (4.0, 0.301, True)
    >>> round(power_law([1, 10, 100], [4, 2, 1.9])[2], 3)
    0.287
    """
    slope, constant = np.polyfit(np.log(x), np.log(y), 1)
    misses = np.abs(np.log(y) - constant - slope * np.log(x))
    return float(np.exp(constant)), float(-slope), float(misses.max() / np.ptp(np.log(y)))


def curves(found: dict[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Name of the axis → (x, bits per byte)."""
    widths, sizes = ([found[name_of(*point)] for point in points] for points in
                     ([(width, SIZE) for width in WIDTHS], [(WIDTH, size) for size in SIZES]))  # fmt: skip
    return {
        "parameters": ([m["parameters"] for m in widths], [rate(m) for m in widths]),
        "bytes of corpus": (list(map(float, SIZES)), [rate(m) for m in sizes]),
    }


def law_line(axis: str, x: list[float], y: list[float]) -> str:
    c, alpha, miss = power_law(x, y)
    if miss <= MAX_MISS:
        return f"* {axis}: {c:.2f} · x^−{alpha:.3f}, where x is the number of {axis}. It misses no point by more than {miss:.0%} of the change."
    steep, flat = (math.log(y[i] / y[i + 1]) / math.log(x[i + 1] / x[i]) for i in (0, len(x) - 2))
    return (
        f"* {axis}: no power law. The best one misses a point by {miss:.0%} of the change. The exponent is {steep:.3f} between the first two "
        f"points and {flat:.3f} between the last two."
    )


def plot(found: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, (axis, (x, y)) in zip(figure.subplots(1, 2, sharey=True), curves(found).items()):
        c, alpha, miss = power_law(x, y)
        axes.loglog(x, y, "o" if miss <= MAX_MISS else "o-", color="seagreen", label="measured")
        if miss <= MAX_MISS:
            axes.loglog(x, c * np.array(x) ** -alpha, "--", color="crimson", label=f"{c:.2f} · x^−{alpha:.3f}")
        axes.set_xticks(x, [f"{each:,.0f}" for each in x])
        axes.set_yticks([tick / 10 for tick in range(10, 80, 2)], [f"{tick / 10:.1f}" for tick in range(10, 80, 2)])
        axes.minorticks_off()
        axes.set(xlabel=axis, ylabel="bits per byte")
        axes.grid(alpha=0.3)
        axes.legend()
    rates = [rate(m) for m in found.values()]
    figure.axes[0].set_ylim(0.95 * min(rates), 1.05 * max(rates))
    figure.savefig(path, dpi=90)


def table(found: dict[str, Any], points: list[tuple[int, int]]) -> list[str]:
    rows = []
    for point in points:
        m = found[name_of(*point)]
        width, size = point
        passes = f"{m['tokens'] / size:.1f}"
        rows.append([str(width), f"{m['parameters']:,}", f"{size:,}", passes, f"{m['minutes']:.1f}", f"{rate(m):.3f}"])
    return markdown(["width", "parameters", "bytes of corpus", "passes", "minutes", "bits per byte"], rows)


def page(found: dict[str, Any]) -> list[str]:
    (source,) = {m["source_bytes"] for m in found.values()}
    seen = max(m["tokens"] for m in found.values())
    return [
        "# Scaling",
        "",
        "GPT-2 and GPT-3 (Radford et al. 2019; Brown et al. 2020, §2.1) and iGPT (Chen et al. 2020) predict better with more parameters and",
        "more data. Kaplan et al. 2020 (§3.2, §3.3) fit a power law to each. Here are both curves for small models: `mingru` of two blocks with a token",
        f"for each byte, trained for the same number of steps ({seen:,} bytes) on English novels. The result is the payload of {source:,} bytes",
        "of another author, in bits per byte, decoded and compared. Models are not counted. *minutes*: of",
        "training, on one thread, beside other work of the machine.",
        "",
        "![Bits per byte against parameters and against data](scaling.png)",
        "",
        "Parameters:",
        "",
        *table(found, [(width, SIZE) for width in WIDTHS]),
        "",
        "Data. A small corpus is read many times:",
        "",
        *table(found, [(WIDTH, size) for size in SIZES]),
        "",
        f"Power laws by least squares of the logarithms; a law is told where it misses no point by more than {MAX_MISS:.0%} of the change of the logarithm:",
        "",
        *(law_line(axis, x, y) for axis, (x, y) in curves(found).items()),
        "",
        "So short a training has a loss far above that of a converged model, so these exponents are not those of the papers.",
        "",
        f"One run each; the others differ from this one in width, hidden and corpus: `{found[name_of(WIDTH, SIZE)]['command']}`",
        "",
    ]
