"""Two parts of acceptance.py: code lengths against probabilities; round trip of every test file, and its size against xz + 64 bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokpress
from tokpress.bench.measure import Row, measure
from tokpress.bench.peers import find
from tokpress.coding import Frame
from tokpress.coding.lanes import Layout
from tokpress.coding.symbolwise import Symbolwise

from .data import noise, repeated
from .pages import Figure, markdown
from .registry import Cases, MeasurementError, Setup
from .text import network_of

Found = dict[str, Any]
Outcome = tuple[list[Figure], list[str]]


def row(codec: str, path: Path, name: str, repeat: int = 1, rounds: int = 1) -> Row:
    """Raises MeasurementError where the codec failed."""
    made = measure(find(codec), path, name, repeat, rounds)
    if made.error:
        raise MeasurementError(f"{name}: {codec}: {made.error}")
    return made


# --- coding: what the coder and the integers cost ------------------------------------------------------------------

#: per cent
CODER, INTEGERS = 0.5, 1.0
CODED = (("text", "text/canterbury/alice29.txt"), ("text", "text/calgary/paper4"), ("context-mixing", "text/calgary/obj2"),
         ("context-mixing", "logs/HDFS_2k.log"))  # fmt: skip
FLOAT = ("text/canterbury/alice29.txt", "text/calgary/paper4", "text/calgary/progl")


def coding_cases(setup: Setup) -> Cases:
    files = setup.bench
    coded = {f"coder, {m}, {n}": lambda m=m, n=n: coder(m, files[n]) for m, n in CODED if n in files}
    return coded | {f"float, {n}": lambda n=n: against_float("text", files[n]) for n in FLOAT if n in files}


def coding_figures(found: Found) -> Outcome:
    shown, lines = [], []
    coded, exact = (
        {name.removeprefix(kind): m for name, m in found.items() if name.startswith(kind)}
        for kind in ("coder, ", "float, ")
    )
    if coded:
        worst = max(abs(m["percent"]) for m in coded.values())
        title = "coded payload against the prior's own −log₂ p"
        shown.append(Figure(title, f"≤ {CODER:g} %", f"{worst:.3f} % at most", worst <= CODER))
        lines += [*_table("model and file", "Σ −log₂ p", "ideal_bits", coded), ""]
    if exact:
        worst = max(m["percent"] for m in exact.values())
        title = "integer coding against the same weights in float32, the text model without memory"
        shown.append(Figure(title, f"≤ {INTEGERS:g} %", f"{worst:+.3f} % at most", worst <= INTEGERS))
        lines += _table("file", "float32 bits", "float_bits", exact)
    return shown, lines


def _table(first: str, other: str, key: str, found: dict[str, Any]) -> list[str]:
    rows = [[n, f"{m['payload_bits']:,}", f"{m[key]:,.1f}", f"{m['percent']:+.3f}"] for n, m in found.items()]
    return markdown([first, "payload bits", other, "%"], rows)


def coder(name: str, path: Path) -> dict[str, Any]:
    """Bits of a real payload, and the ideal code length of the same tokens in the same lanes."""
    model, source = tokpress.load(name), path.read_bytes()
    payload, _, lanes = model.encode(source)
    ideal = model.score(source, lanes).total_bits
    return {"payload_bits": 8 * len(payload), "ideal_bits": ideal, "percent": 100 * (8 * len(payload) / ideal - 1)}


def against_float(name: str, path: Path) -> dict[str, Any]:
    """Bits of a payload coded by the integer network alone, its head at rest, and the cross entropy of the network
    with the same weights when nothing is rounded: float32 activations, products and softmax."""
    model = tokpress.load(name)
    learning = network_of(model)
    base = type(learning)({**learning.config(), "online": 0.0}, learning.tensors())
    tokens = model.tokenizer.encode(path.read_bytes())
    lanes = base.rules.lanes(len(tokens))
    frame = Frame(len(tokens), lanes)
    payload_bits = 8 * len(Symbolwise(base.for_frame(frame), frame).encode(tokens))
    float_bits = unrounded_bits(base, tokens, lanes)
    return {"payload_bits": payload_bits, "float_bits": float_bits, "percent": 100 * (payload_bits / float_bits - 1)}


def unrounded_bits(prior: Any, tokens: Any, lanes: int, window: int = 256) -> float:
    """Σ −log₂ p of tokens [N] in lanes that each start from nothing, by the training network in plain float32."""
    import math

    import torch

    net = unrounded(prior)
    layout = Layout.divide(len(tokens), lanes, prior.rules.stride)
    targets = torch.from_numpy(layout.split(tokens)).long()
    inputs = torch.cat([torch.zeros(layout.lanes, 1, dtype=torch.long), targets[:, :-1]], 1)
    real = torch.arange(layout.lanes * layout.steps).reshape(targets.shape) < len(tokens)
    targets[~real] = -100  # what cross_entropy leaves out
    state, total_nats = net.initial_state(layout.lanes), 0.0
    with torch.no_grad():
        for at in range(0, layout.steps, window):
            y = targets[:, at : at + window]
            if count := int((y != -100).sum()):
                loss, state = net(inputs[:, at : at + window], y, state)
                total_nats += float(loss) * count
    return total_nats / math.log(2)


def unrounded(prior: Any) -> Any:
    """The minGRU network with the weights of the model file as floats, and products that round nothing."""
    import numpy as np
    import torch
    import torch.nn.functional as F

    from tokpress.training.nets.mingru import MinGRUNet
    from tokpress.training.nets.quantized import TINY, QuantEmbedding, QuantLinear

    def product(layer: QuantLinear, inputs: tuple[torch.Tensor], _: torch.Tensor) -> torch.Tensor:
        (x,) = inputs
        if layer.normed:
            x = x * x.square().mean(-1, keepdim=True).clamp_min(TINY).rsqrt()
        return F.linear(x, layer.weight)

    net = MinGRUNet(**prior.config())
    t = prior.tensors()
    weights = {
        name: torch.from_numpy(v.astype(np.float32) * t[name.removesuffix("weight") + "scale"][:, None])
        if name.endswith(".weight")
        else torch.from_numpy(v.copy())
        for name, v in t.items()
        if not name.endswith(".scale")
    }
    net.load_state_dict(weights)
    for layer in net.modules():
        if isinstance(layer, QuantLinear):
            layer.register_forward_hook(product)  # what a hook returns takes the place of the layer's own product
        elif isinstance(layer, QuantEmbedding):
            layer.register_forward_hook(lambda table, inputs, _: table.weight[inputs[0]])
    return net


# --- bound: every test file and the hard cases come back, never larger than xz -9e + 64 bytes ---------------------
# A case is a kind of file and keeps totals, failures and the files nearest to the bound.

SLACK = 64
WORST = 3
HARD = "made here"


def bound_cases(setup: Setup) -> Cases:
    kinds: dict[str, dict[str, Path]] = {}
    for name, path in setup.bench.items():
        kinds.setdefault(name.partition("/")[0], {})[name] = path
    cases: Cases = {kind: lambda files=files: bound(files) for kind, files in sorted(kinds.items())}
    return cases | {HARD: lambda: bound(_hard(setup.work / "hard"))}


def bound(files: dict[str, Path]) -> Found:
    ours = {name: measure(find("tokpress"), path, name) for name, path in files.items()}
    return totals_of({
        name: {"bytes": made.source_bytes, "tokpress": made.compressed_bytes, "error": made.error,
               "xz": row("xz", files[name], name).compressed_bytes}
        for name, made in ours.items()
    })  # fmt: skip


def totals_of(files: dict[str, Found]) -> Found:
    """Sums of the files that came back, the failures, and the files that are largest against xz."""
    good = {name: m for name, m in files.items() if not m["error"]}
    above = sorted(good, key=lambda name: good[name]["tokpress"] - good[name]["xz"], reverse=True)
    return {
        "files": len(files),
        **{key: sum(m[key] for m in good.values()) for key in ("bytes", "tokpress", "xz")},
        "failed": {name: m["error"] for name, m in files.items() if m["error"]},
        "worst": {name: [good[name][key] for key in ("bytes", "tokpress", "xz")] for name in above[:WORST]},
    }


def bound_figures(found: Found) -> Outcome:
    count = sum(m["files"] for m in found.values())
    failed = {name: error for m in found.values() for name, error in m["failed"].items()}
    back = f"{count - len(failed)} of {count}"
    figures = [Figure(f"{count} files: back byte for byte", "all", back, not failed)]
    above = {name: ours - xz for m in found.values() for name, (_, ours, xz) in m["worst"].items()}
    if above:
        worst = max(above, key=lambda name: above[name])
        most = f"{above[worst]:+,} at most ({worst})"
        figures.append(Figure(f"{count} files: bytes more than xz -9e", f"≤ {SLACK}", most, above[worst] <= SLACK))
        sums = " and ".join(f"{sum(m[key] for m in found.values()):,}" for key in ("tokpress", "xz"))
        figures.append(Figure(f"{count} files: bytes of tokpress and of xz -9e, all together", "–", sums, None))
    table = [
        [kind, f"{m['files']:,}", str(m["files"] - len(m["failed"])), *(f"{m[key]:,}" for key in ("bytes", "tokpress", "xz")),
         f"{100 * (m['tokpress'] / m['xz'] - 1):+.1f} %" if m["xz"] else "", _nearest(m)]
        for kind, m in found.items()
    ]  # fmt: skip
    head = [
        "kind",
        "files",
        "came back",
        "bytes",
        "tokpress",
        "xz -9e",
        "against xz",
        "nearest to the bound, bytes against xz",
    ]
    failures = [f"* {name} failed: {error}" for name, error in failed.items()]
    return figures, [*failures, *([""] if failures else []), *markdown(head, table)]


def _nearest(m: Found) -> str:
    name, (_, ours, xz) = next(iter(m["worst"].items()), ("", (0, 0, 0)))
    return f"{name} {ours - xz:+,}" if name else ""


def _hard(folder: Path) -> dict[str, Path]:
    def twice(path: Path) -> Path:
        path.write_bytes(2 * noise(17_000_000, path).read_bytes())
        return path

    makers: dict[str, Callable[[Path], Path]] = {
        "empty": lambda path: repeated(b"", 1, path),
        "one byte": lambda path: repeated(b"x", 1, path),
        "two bytes": lambda path: repeated(b"\xff\xfe", 1, path),
        "invalid UTF-8": lambda path: repeated(b"caf\xe9 \xc3\x28 \xf0\x9f \x80", 1000, path),
        "zeros, 10 MB": lambda path: repeated(bytes(1000), 10_000, path),
        "random, 100 bytes": lambda path: noise(100, path),
        "random, 1 MB": lambda path: noise(10**6, path),
        "random, 20 MB": lambda path: noise(2 * 10**7, path),
        # a repetition farther apart than a frame is long: only lzma over the whole file sees it
        "random 17 MB twice": twice,
    }
    return {f"{HARD}: {name}": make(folder / name) for name, make in makers.items()}
