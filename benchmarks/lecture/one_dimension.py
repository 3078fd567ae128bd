"""One dimension: a histogram memorises few samples, a mixture of logistics generalises."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.learners.registry import fit_prior
from tokpress.training.options import FitOptions

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results
from .runs import Fixed

SAMPLES = (20, 50, 100, 300, 1_000, 10_000, 100_000)
#: number and seed of the samples that are coded
OTHERS = (100_000, 999)
#: the count whose models are plotted
PLOTTED = 50
#: (share, mean, spread) of each normal distribution that the samples come from
TRUTH = [(0.3, 18.0, 3.0), (0.5, 45.0, 7.0), (0.2, 80.0, 4.0)]


def samples_of(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    which = rng.choice(len(TRUTH), count, p=[share for share, *_ in TRUTH])
    mean, spread = np.array([t[1:] for t in TRUTH])[which].T
    return np.clip(np.rint(rng.normal(mean, spread)), 0, 99).astype(np.int64)


def fit(samples: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The pmf [256] of each model, fitted by the same code as in `tokpress train prior`."""
    path = folder / "samples"
    # the end of a source is held out, so zeros stand there, which are no samples
    path.write_bytes(np.concatenate([samples, np.zeros(max(len(samples) // 9, 1))]).astype("<u2").tobytes())
    source = Fixed(path, held=len(path.read_bytes()) // 2 - len(samples))
    options, tokenizer = FitOptions(folder), BytesTokenizer()
    histogram = fit_prior(HistogramPrior, [source], tokenizer, {}, options)
    mixture = fit_prior(LogisticMixturePrior, [source], tokenizer, {"components": 4}, options)
    return {
        "histogram": histogram.step(histogram.init(1, 1), None, 1)[0],
        "mixture of 4 logistics": mixture.step(None, None, 1)[0],
    }


@benchmark("one_dimension", page="docs/one_dimension.md", takes="a few seconds")
class OneDimension(Benchmark):
    """A histogram and a mixture of logistics, fitted to few and to many samples of 100 symbols."""

    def cases(self, setup: Setup) -> Cases:
        return {str(count): lambda count=count: fitted(count) for count in SAMPLES}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if found := results.values():
            plot_fits(found, setup.docs / "one_dimension.png")
            write_page(setup.docs / "one_dimension.md", [*fits_page(found), results.made_by()])
        return []


def fitted(count: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        made = fit(samples_of(count, count), Path(folder))
    found: dict[str, Any] = {name: float(-np.log(pmf[samples_of(*OTHERS)]).mean()) for name, pmf in made.items()}
    if count == PLOTTED:
        found["pmf"] = {name: [round(float(p), 6) for p in pmf[:100]] for name, pmf in made.items()}
    return found


COLOURS = {"histogram": "crimson", "mixture of 4 logistics": "seagreen"}


def plot_fits(found: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure, new = Figure(figsize=(10, 3.6), layout="constrained"), samples_of(*OTHERS)
    left, right = figure.subplots(1, 2)
    left.bar(range(100), np.bincount(new, minlength=100) / len(new), color="lightgrey", width=1, label="100,000 others")
    for name, pmf in found.get(str(PLOTTED), {}).get("pmf", {}).items():
        left.step(range(100), pmf, where="mid", color=COLOURS[name], lw=1, label=name)
    left.set(title=f"learned from {PLOTTED} samples", xlabel="symbol", ylabel="probability")
    left.legend()
    for name, colour in COLOURS.items():
        right.plot([int(count) for count in found], [m[name] for m in found.values()], "o-", color=colour, label=name)
    right.set(xscale="log", xlabel="samples learned from", ylabel="nats per symbol, others", title="generalisation")
    right.legend()
    figure.savefig(path, dpi=90)


def fits_page(found: dict[str, Any]) -> list[str]:
    rows = [[f"{int(count):,}", *(f"{m[name]:.3f}" for name in COLOURS)] for count, m in found.items()]
    return [
        "# One dimension: histogram and mixture of logistics",
        "",
        "This is the lecture's first comparison. Samples over 100 of the 256 bytes come from three bells. A histogram (`histogram`, counts",
        "plus ½) and a mixture of four discretized logistics (`logistic_mixture`) are fitted to some samples; the table shows the cost of",
        "other samples. The histogram has a number for every symbol, and reproduces the gaps between its samples. The mixture has eleven",
        "numbers and must generalise. With enough samples the histogram is as good, and then better, as it assumes no shape.",
        "",
        "![Both models and their cost](one_dimension.png)",
        "",
        f"Nats per symbol of {OTHERS[0]:,} other samples:",
        "",
        *markdown(["samples", *COLOURS], rows),
        "",
    ]
