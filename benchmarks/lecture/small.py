"""Small parts of the lecture: one dimension, the cache of keys and values, pictures of the dependencies of each prior."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tokpress.bench.report import PACKAGES
from tokpress.coding import Frame
from tokpress.exact.threads import one_blas_thread
from tokpress.priors.base import SteppedPrior
from tokpress.priors.lecture.bayes_net import BayesNetPrior
from tokpress.priors.lecture.hierarchical import DEFAULTS, HierarchicalPrior, plan
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.priors.lecture.network import NetworkPrior
from tokpress.priors.lecture.pixelcnn import PixelCNNPrior
from tokpress.priors.lecture.transformer import TransformerPrior
from tokpress.priors.registry import PRIORS
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.learners.bayes_net import chow_liu
from tokpress.training.learners.registry import fit_prior
from tokpress.training.options import FitOptions

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results
from .runs import Fixed

# --- one dimension: a histogram memorises few samples, a mixture of logistics generalises -----------------------------------

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


# --- keys and values: time of a transformer's step against the symbols before it ------------------------------------------

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


# --- what each prior depends on: docs/priors/NAME.png -----------------------------------------------------------------------
# An untrained model of each kind, on items of 8×8 symbols, gives all its conditionals, then again with one symbol changed, for every
# symbol: a conditional that changes depends on that symbol. Left: the symbols (columns, by position) that each step (rows, in coding
# order) depends on. Right: the picture as the pixel marked with a ring sees it. Of an ensemble: two members of different orders.

SIDE = 8
#: name of the picture → prior, settings
SHOWN = {
    "made": ("made", {"width": 2}),
    "causal_conv": ("causal_conv", {"width": 16, "depth": 2, "kernel": 6}),
    "wavenet": ("wavenet", {"width": 16, "depth": 5, "longest": 16}),
    "lstm": ("lstm", {"width": 32}),
    "pixelcnn": ("pixelcnn", {"width": 32, "depth": 2}),
    "gated_pixelcnn": ("gated_pixelcnn", {"width": 32, "depth": 4}),
    "transformer": ("transformer", {"width": 32, "depth": 1, "order": "zigzag"}),
    "sparse_transformer": ("sparse_transformer", {"width": 32, "depth": 1, "stride": 8}),
    "linear_attention": ("linear_attention", {"width": 32, "depth": 1, "heads": 4, "order": "top_bottom"}),
    "ssm": ("ssm", {"width": 32, "depth": 1, "order": "columns"}),
    "encoder_decoder": ("encoder_decoder", {"width": 32, "depth": 1, "given": "2x2"}),
    "hierarchical": ("hierarchical", {"scales": "2x2,4x4", "width": 32, "depth": 1}),
    "bayes_net": ("bayes_net", {}),
    "next_scale": ("next_scale", {"shape": "85x1", "scales": "1,2,4,8", "width": 32, "depth": 1}),
    "histogram": ("histogram", {}),
    "logistic_mixture": ("logistic_mixture", {}),
}
MEMBERS = ("raster", "even_odd")
#: the order as the title names it
ORDER = {
    "hierarchical": "coarse to fine", "bayes_net": "of the tree", "next_scale": "scale by scale",
    "histogram": "any (static=false)", "logistic_mixture": "any",
}  # fmt: skip


def drawn(cls: type[NetworkPrior], settings: dict) -> NetworkPrior:
    """A network of random weights."""
    from tokpress.training.nets.arithmetic import Trained

    plan = cls({"shape": f"{SIDE}x{SIDE}", **settings}, {}, 2)
    net = Trained(plan.network, plan.shape, plan.order, given=plan.given_size)
    return cls.load(plan.config(), net.export(), 2)


def made(name: str, settings: dict) -> SteppedPrior:
    if name == "bayes_net":  # the tree of pixels that are the more alike the nearer they are
        places = np.stack(np.indices((SIDE, SIDE)), -1).reshape(-1, 2)
        distance = np.abs(places[:, None] - places[None]).sum(2)
        order, parent = chow_liu(1 / (1 + distance + np.random.default_rng(0).random(distance.shape)))
        counts = np.random.default_rng(1).integers(1, 50, (SIDE * SIDE, 2, 2))
        tensors = {"order": order.astype(np.int32), "parent": parent.astype(np.int32), "counts": counts}
        return BayesNetPrior(f"{SIDE}x{SIDE}", tensors, 2)
    if name == "hierarchical":
        settings = DEFAULTS | {"shape": f"{SIDE}x{SIDE}"} | settings
        parts = [drawn(PixelCNNPrior, inner).tensors() for inner, *_ in plan(settings, 2)]
        named = {f"{i}.{key}": value for i, part in enumerate(parts) for key, value in part.items()}
        return HierarchicalPrior(settings, named, 2)
    if name == "histogram":
        return HistogramPrior(2)
    if name == "logistic_mixture":
        return LogisticMixturePrior(np.zeros((3, 1), np.float32), 2)
    cls = PRIORS.find(name)
    assert issubclass(cls, NetworkPrior)
    return drawn(cls, settings)


def conditionals(prior: SteppedPrior, lanes: np.ndarray) -> np.ndarray:
    """[steps, lanes, V] of lanes [n, steps]"""
    if prior.name == "histogram" and len(lanes) > 1:  # whose counts are those of all lanes
        return np.concatenate([conditionals(prior, lane[None]) for lane in lanes], 1)
    state, previous, out = prior.init(len(lanes), lanes.size), None, []
    for symbols in lanes.T.astype(np.int32):
        out.append(prior.step(state, previous, len(lanes)).copy())
        previous = symbols
    return np.stack(out)


def depends(name: str, settings: dict) -> tuple[SteppedPrior, np.ndarray]:
    """(prior, [step, step] bool: whether a step's conditional changes with the symbol of another)"""
    prior = made(name, settings)
    if prior.rules.given_size:
        given = np.zeros((prior.rules.stride + 1) * prior.rules.given_size, np.int32)
        prior = prior.for_frame(Frame(len(given), given=given))
    steps = SIDE * SIDE if prior.rules.order is None else prior.rules.stride
    changed = np.zeros((steps, steps), bool)
    for seed in range(6):
        base = np.random.default_rng(seed).integers(0, 2, steps)
        lanes = np.repeat(base[None], steps + 1, 0)
        lanes[1:][np.eye(steps, dtype=bool)] ^= 1
        pmf = conditionals(prior, lanes)
        changed |= (pmf[:, 1:] != pmf[:, :1]).any(2)
    return prior, changed


def by_position(prior: SteppedPrior, changed: np.ndarray) -> np.ndarray:
    placed = np.zeros_like(changed)
    placed[:, slice(None) if prior.rules.order is None else prior.rules.order] = changed
    return placed


def left_half(axes, title: str, sees: np.ndarray) -> None:
    axes.imshow(sees, cmap="Greens", interpolation="nearest", vmin=0, vmax=1)
    axes.set(xlabel="symbol, by position", ylabel="step, in coding order", title=title)


def draw(title: str, prior: SteppedPrior, changed: np.ndarray, path: Path) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    sees = by_position(prior, changed)
    if len(sees) != SIDE * SIDE or prior.rules.order is None:
        figure = Figure(figsize=(3.6, 3.6), layout="constrained")
        axes = figure.subplots()
        left_half(axes, title, sees)
    else:
        step = SIDE * 5 if "pixelcnn" in title else SIDE * 5 + SIDE // 2  # where a blind spot would show
        ranks = np.argsort(prior.rules.order).reshape(SIDE, SIDE)
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left_half(left, title, sees)
        field = np.where(sees[step].reshape(SIDE, SIDE), 2, np.where(ranks < step, 1, 0))
        right.imshow(field, cmap=ListedColormap(["white", "lightgrey", "seagreen"]), vmin=0, vmax=2)
        right.plot(*np.divmod(int(prior.rules.order[step]), SIDE)[::-1], "o", mfc="none", mec="crimson", ms=12, mew=2)
        right.set(xticks=[], yticks=[], title=f"step {step}: green it sees,\ngrey came before too, white comes later")
    figure.savefig(path, dpi=80)


def draw_members(path: Path) -> None:
    """An ensemble has no conditionals; its members do, each in its own order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots(1, len(MEMBERS))
    for each, order in zip(axes, MEMBERS):
        prior, changed = depends("made", {"width": 2, "order": order})
        left_half(each, f"a member: made, order {order}", by_position(prior, changed))
    figure.savefig(path, dpi=80)


@benchmark("dependencies", page="docs/priors/*.png", takes="1 minute")
class Dependencies(Benchmark):
    """Pictures of the symbols that each conditional of the lecture's priors depends on."""

    stored = False

    def cases(self, setup: Setup) -> Cases:
        folder = setup.docs / "priors"
        folder.mkdir(parents=True, exist_ok=True)
        return {name: lambda name=name: draw_prior(name, folder / f"{name}.png") for name in [*SHOWN, "ensemble"]}

    def report(self, results: Results, setup: Setup) -> list[str]:
        return []


def draw_prior(shown: str, path: Path) -> None:
    if shown == "ensemble":
        return draw_members(path)
    name, settings = SHOWN[shown]
    title = f"{shown}, order {ORDER.get(name, settings.get('order', 'raster'))}"
    draw(title, *depends(name, settings), path)
