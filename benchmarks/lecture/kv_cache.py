"""Keys and values: time of a transformer's step against the symbols before it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.bench.report import PACKAGES
from tokpress.exact.threads import one_blas_thread
from tokpress.priors.lecture.transformer import TransformerPrior

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results

LENGTHS = [2**n for n in range(6, 14)]
SYMBOLS, SETTINGS = 256, {"width": 64, "depth": 2, "heads": 4, "reach": LENGTHS[-1] + 64}
#: steps timed together
STEPS = 16


def least(rounds: int, work: Callable[[], None]) -> float:
    """Seconds of the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def slope(lengths: list[int], seconds: list[float]) -> float:
    upper = slice(len(lengths) // 2, None)
    return float(np.polyfit(np.log(lengths[upper]), np.log(seconds[upper]), 1)[0])


@benchmark("kv_cache", page="docs/kv_cache.md", takes="3 minutes", settings={"rounds": 5, "longest": LENGTHS[-1]})
class KVCache(Benchmark):
    """Time of one step of a transformer against the symbols before it, with a cache of keys and values and without.

    One lane, the same weights, both in turn, the least of the rounds for each length. Slopes are of the logarithms of time and length
    over the upper half of the lengths, by least squares.
    """

    packages = PACKAGES

    def cases(self, setup: Setup) -> Cases:
        return {"steps": lambda: step_times(setup.settings["rounds"], setup.settings["longest"])}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if m := results.values().get("steps"):
            plot_steps(m, setup.docs / "kv_cache.png")
            write_page(setup.docs / "kv_cache.md", [*steps_page(m), results.made_by()])
        return []


def step_times(rounds: int, longest: int) -> dict[str, Any]:
    import torch

    from tokpress.training.nets.arithmetic import Trained

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
    return {"lengths": lengths, "cached_seconds": cached, "naive_seconds": naive}


def plot_steps(m: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for key, colour, name in (("cached", "seagreen", "with the cache"), ("naive", "crimson", "all computed again")):
        seconds = m[f"{key}_seconds"]
        axes.loglog(
            m["lengths"], seconds, "o-", color=colour, label=f"{name}, slope {slope(m['lengths'], seconds):.2f}"
        )
    axes.set(xlabel="symbols so far", ylabel="seconds for the next conditional")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(path, dpi=90)


def steps_page(m: dict[str, Any]) -> list[str]:
    lengths, cached, naive = m["lengths"], m["cached_seconds"], m["naive_seconds"]
    each, constant = np.polyfit(lengths, cached, 1)
    rows = [[f"{n:,}", f"{1e3 * c:.2f}", f"{1e3 * a:.2f}", f"{a / c:.1f}"] for n, c, a in zip(lengths, cached, naive)]
    settings = ", ".join(f"{key}={value}" for key, value in SETTINGS.items())
    return [
        "# The cache of keys and values",
        "",
        "The next conditional of a transformer needs the keys and values of all earlier symbols. With a cache, a step is O(L). Without one, all",
        "keys and values are computed again: a step is O(L²) for long L, and O(L) with a large constant for short L, where the other products",
        "take longer than attention.",
        "",
        "![Time of a step against length](kv_cache.png)",
        "",
        *markdown(["symbols so far", "with the cache, ms", "all computed again, ms", "ratio"], rows),
        "",
        f"Slopes of log time against log length over the upper half of the lengths: {slope(lengths, cached):.2f} with the cache, "
        f"{slope(lengths, naive):.2f}",
        f"without. With the cache, least squares give {1e3 * constant:.2f} ms and {1e6 * each:.3f} µs for each earlier symbol: this is O(L), and",
        "most of a step does not depend on the length. Without the cache the slope is above 2, probably because the L² scores of a layer",
        f"exceed the caches of the CPU; this was not measured separately. Model: `transformer` with {settings}, {SYMBOLS} symbols,",
        "one lane, one thread.",
        "",
    ]
