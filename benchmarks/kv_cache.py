"""Time of one step of a transformer against how much came before: with a cache of keys and values, and without.

    python benchmarks/kv_cache.py [--rounds 5]

With the cache, a step multiplies its query with all keys and its weights with all values: O(L). Without it, everything
before is computed again to get one more conditional: the parallel form on L symbols, O(L²) for attention. One lane, the
same weights, both on the same machine in turn, the least of the rounds for each length. Slopes are of the logarithms of
time and length over the upper half of the lengths, by least squares. Writes docs/kv_cache.md and its plot.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import click
import matplotlib
import numpy as np
import torch
from data import ROOT
from results import machine_line, markdown

from tokpress.bench.report import PACKAGES
from tokpress.exact.threads import one_blas_thread
from tokpress.priors.lecture.transformer import TransformerPrior
from tokpress.training.machine import describe
from tokpress.training.nets.arithmetic import Trained

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LENGTHS = [2**n for n in range(6, 14)]
SYMBOLS, SETTINGS = 256, {"width": 64, "depth": 2, "heads": 4, "reach": LENGTHS[-1] + 64}
#: steps timed together
STEPS = 16


def least(rounds: int, work: Callable[[], None]) -> float:
    """Seconds of the quickest of the rounds."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def slope(lengths: list[int], seconds: list[float]) -> float:
    half = len(lengths) // 2
    return float(np.polyfit(np.log(lengths[half:]), np.log(seconds[half:]), 1)[0])


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--longest", default=LENGTHS[-1], show_default=True, help="No length above this.")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Where docs/ and benchmarks/results/ are.")
def main(rounds, longest, root):
    torch.set_num_threads(1)
    plan = TransformerPrior(SETTINGS, {}, SYMBOLS)
    net = Trained(plan.network).eval()
    prior = TransformerPrior.load(plan.config(), net.export(), SYMBOLS)
    symbols = np.random.default_rng(0).integers(0, SYMBOLS, LENGTHS[-1] + 64).astype(np.int32)
    state, at, cached, naive = prior.init(1, 1), 0, [], []
    lengths = [length for length in LENGTHS if length <= longest]

    def forward(until: int) -> None:
        nonlocal at
        while at < until:
            prior.step(state, symbols[at - 1 : at] if at else None, 1)
            at += 1

    def again(length: int) -> None:
        with torch.no_grad():
            net.logits(torch.from_numpy(symbols[None, :length].astype(np.int64)), net.initial_state(1))

    with one_blas_thread():
        for length in lengths:
            forward(length - STEPS * rounds // 2)
            steps = [least(1, lambda: forward(at + STEPS)) for _ in range(rounds)]
            cached.append(min(steps) / STEPS)
            naive.append(least(rounds if length < 4096 else 2, lambda length=length: again(length)))
            print(f"{length:6}  cached {1e3 * cached[-1]:9.3f} ms  anew {1e3 * naive[-1]:9.3f} ms", flush=True)
    slopes = slope(lengths, cached), slope(lengths, naive)
    each, constant = np.polyfit(lengths, cached, 1)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(lengths, cached, "o-", color="seagreen", label=f"with the cache, slope {slopes[0]:.2f}")
    axes.loglog(lengths, naive, "o-", color="crimson", label=f"all computed again, slope {slopes[1]:.2f}")
    axes.set(xlabel="symbols so far", ylabel="seconds for the next conditional")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(root / "docs/kv_cache.png", dpi=90)
    rows = [[f"{n:,}", f"{1e3 * c:.2f}", f"{1e3 * a:.2f}", f"{a / c:.1f}"] for n, c, a in zip(lengths, cached, naive)]
    text = f"""# Keys and values, kept or computed again

A transformer's next conditional needs the keys and values of everything before. Kept, a step is O(L); computed again, it
is O(L²) for long L, and O(L) with a large constant before, where the other products still weigh more than attention.

![Time of a step against length](kv_cache.png)

{chr(10).join(markdown(["symbols so far", "with the cache, ms", "all computed again, ms", "ratio"], rows))}

Slopes of log time against log length over the upper half of the lengths: {slopes[0]:.2f} with the cache, {slopes[1]:.2f}
without. With the cache most of a step does not depend on the length: {1e3 * constant:.2f} ms and {1e6 * each:.3f} µs for
each symbol before, by least squares, are O(L) all the same. Above 2 without it: the L² scores of a layer outgrow the
CPU's caches there, we suppose; it was not measured apart. `transformer` with {", ".join(f"{k}={v}" for k, v in SETTINGS.items())}, {SYMBOLS} symbols, one lane, one thread.

`python benchmarks/kv_cache.py`; load {os.getloadavg()[0]:.1f}; {machine_line(describe(*PACKAGES))}.
"""
    (root / "docs/kv_cache.md").write_text(text, "utf-8")
    kept = {"lengths": lengths, "cached_seconds": cached, "naive_seconds": naive, "slopes": slopes}
    (root / "benchmarks/results/kv_cache.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
