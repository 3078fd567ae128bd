"""What each prior depends on: docs/priors/NAME.png.

An untrained model of each kind, on items of 8×8 symbols, gives all its conditionals, then again with one symbol changed, for every
symbol: a conditional that changes depends on that symbol. Left: the symbols (columns, by position) that each step (rows, in coding
order) depends on. Right: the picture as the pixel marked with a ring sees it. Of an ensemble: two members of different orders.
"""

from pathlib import Path

import numpy as np

from tokpress.coding import Frame
from tokpress.priors.base import SteppedPrior
from tokpress.priors.lecture.bayes_net import BayesNetPrior
from tokpress.priors.lecture.hierarchical import HierarchicalPrior, plan
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.priors.lecture.network import NetworkPrior
from tokpress.priors.lecture.pixelcnn import PixelCNNPrior
from tokpress.priors.registry import PRIORS
from tokpress.training.learners.bayes_net import chow_liu

from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results

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
        settings = HierarchicalPrior.defaults | {"shape": f"{SIDE}x{SIDE}"} | settings
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
