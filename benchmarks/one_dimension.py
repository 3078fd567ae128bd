"""The lecture's first comparison: a histogram learns few samples by heart, a mixture of logistics generalises.

    python benchmarks/one_dimension.py

Draws samples of 100 ordered symbols from a mixture that neither model is told of, fits both to 20 … 100,000 of them, and
measures nats per symbol on 100,000 others. Writes docs/one_dimension.md and its plot.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import matplotlib
import numpy as np
from data import ROOT
from results import markdown

from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.data.streams import Source
from tokpress.training.learners.registry import fit_prior
from tokpress.training.options import FitOptions

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SAMPLES = (20, 50, 100, 300, 1_000, 10_000, 100_000)
SHOWN = 50
#: (share, mean, spread) of each normal distribution that the samples come from
TRUTH = [(0.3, 18.0, 3.0), (0.5, 45.0, 7.0), (0.2, 80.0, 4.0)]


def draw(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    which = rng.choice(len(TRUTH), count, p=[share for share, *_ in TRUTH])
    mean, spread = np.array([t[1:] for t in TRUTH])[which].T
    return np.clip(np.rint(rng.normal(mean, spread)), 0, 99).astype(np.int64)


def fit(samples: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The pmf [256] of each model, trained as `tokpress train prior` trains it."""
    path = folder / "samples"
    # the end of a source is held out, so that it gets something there which is no sample
    path.write_bytes(np.concatenate([samples, np.zeros(max(len(samples) // 9, 1))]).astype("<u2").tobytes())
    source = Source(path)
    source.held_out = len(source.all) - len(samples)
    options, tokenizer = FitOptions(folder), BytesTokenizer()
    histogram = fit_prior(HistogramPrior, [source], tokenizer, {}, options)
    mixture = fit_prior(LogisticMixturePrior, [source], tokenizer, {"components": 4}, options)
    return {
        "histogram": histogram.step(histogram.init(1, 1), None, 1)[0],
        "mixture of 4 logistics": mixture.step(None, None, 1)[0],
    }


@click.command()
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Where docs/ is.")
def main(root):
    new, found, shown = draw(100_000, 999), {}, {}
    with TemporaryDirectory() as folder:
        for count in SAMPLES:
            made = fit(draw(count, count), Path(folder))
            found[count] = {name: float(-np.log(pmf[new]).mean()) for name, pmf in made.items()}
            if count == SHOWN:
                shown = made
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.bar(range(100), np.bincount(new, minlength=100) / len(new), color="lightgrey", width=1, label="100,000 others")
    left.step(range(100), shown["histogram"][:100], where="mid", color="crimson", lw=1, label="histogram")
    left.plot(range(100), shown["mixture of 4 logistics"][:100], color="seagreen", label="mixture of 4 logistics")
    left.set(title=f"learned from {SHOWN} samples", xlabel="symbol", ylabel="probability")
    left.legend()
    for name, colour in (("histogram", "crimson"), ("mixture of 4 logistics", "seagreen")):
        right.plot(SAMPLES, [found[count][name] for count in SAMPLES], "o-", color=colour, label=name)
    right.set(xscale="log", xlabel="samples learned from", ylabel="nats per symbol, others", title="generalisation")
    right.legend()
    figure.savefig(root / "docs/one_dimension.png", dpi=90)
    plt.close(figure)
    rows = [[f"{count:,}", *(f"{nats:.3f}" for nats in found[count].values())] for count in SAMPLES]
    text = f"""# One dimension: histogram and mixture of logistics

The lecture's first comparison. Samples of 100 of the 256 bytes come from three bells; a histogram (`histogram`, counts plus
½) and a mixture of four discretized logistics (`logistic_mixture`) are fitted to a few of them, and asked what 100,000
others cost. The histogram has a number for every symbol and believes the gaps between its samples; the mixture has
eleven numbers and must generalise. With enough samples the histogram is as good, and then better, having no shape to be
wrong about.

![Both models and what they cost](one_dimension.png)

Nats per symbol of {len(new):,} others:

{chr(10).join(markdown(["samples", *found[SAMPLES[0]]], rows))}

`python benchmarks/one_dimension.py`
"""
    (root / "docs/one_dimension.md").write_text(text, "utf-8")
    (root / "benchmarks/results").mkdir(parents=True, exist_ok=True)
    (root / "benchmarks/results/one_dimension.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
