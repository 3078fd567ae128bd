"""What the coder adds to −log₂ p, and what integers add to the float model."""

from pathlib import Path
from typing import Any

from results import Figure, markdown

import tokpress
from tokpress.coding import Frame
from tokpress.coding.lanes import Layout
from tokpress.coding.symbolwise import Symbolwise

from . import Bench, Outcome

CODER, INTEGERS = 0.5, 1.0
CODED = (("text", "text/canterbury/alice29.txt"), ("text", "text/calgary/paper4"), ("adaptive", "text/calgary/obj2"),
         ("adaptive", "logs/HDFS_2k.log"))  # fmt: skip
FLOAT = ("text/canterbury/alice29.txt", "text/calgary/paper4", "text/calgary/progl")


def run(bench: Bench) -> Outcome:
    coded = {
        f"{model}, {name}": bench.once(f"coder: {model} on {name}", lambda m=model, n=name: coder(m, bench.files[n]))
        for model, name in CODED
        if name in bench.files
    }
    exact = {
        name: bench.once(f"float: {name}", lambda n=name: against_float("text", bench.files[n]))
        for name in FLOAT
        if name in bench.files
    }
    figures, lines = [], []
    if coded:
        worst = max(abs(r["percent"]) for r in coded.values())
        title = "coded payload against the prior's own −log₂ p"
        figures.append(Figure(title, f"≤ {CODER:g} %", f"{worst:.3f} % at most", worst <= CODER))
        lines += markdown(
            ["model and file", "payload bits", "Σ −log₂ p", "%"],
            [
                [n, f"{r['payload_bits']:,}", f"{r['ideal_bits']:,.1f}", f"{r['percent']:+.3f}"]
                for n, r in coded.items()
            ],
        )
    if exact:
        worst = max(r["percent"] for r in exact.values())
        title = "integer coding against the same weights in float32, the text model without memory"
        figures.append(Figure(title, f"≤ {INTEGERS:g} %", f"{worst:+.3f} % at most", worst <= INTEGERS))
        lines += ["", *markdown(
            ["file", "payload bits", "float32 bits", "%"],
            [[n, f"{r['payload_bits']:,}", f"{r['float_bits']:,.1f}", f"{r['percent']:+.3f}"] for n, r in exact.items()],
        )]  # fmt: skip
    return figures, lines


def coder(name: str, path: Path) -> dict[str, Any]:
    """Bits of a real payload, and the ideal code length of the same tokens in the same lanes."""
    model, source = tokpress.load(name), path.read_bytes()
    payload, _, lanes = model.encode(source)
    ideal = model.score(source, lanes).total_bits
    return {"payload_bits": 8 * len(payload), "ideal_bits": ideal, "percent": 100 * (8 * len(payload) / ideal - 1)}


def against_float(name: str, path: Path) -> dict[str, Any]:
    """Bits of a payload coded by the integer prior without its memory, its head at rest, and the cross entropy of the network
    with the same weights when nothing is rounded: float32 activations, products and softmax."""
    model = tokpress.load(name)
    learning = getattr(model.prior, "base", model.prior)
    base = type(learning)({**learning.config(), "online": 0.0}, learning.tensors())
    tokens = model.tokenizer.encode(path.read_bytes())
    lanes = base.lanes(len(tokens))
    frame = Frame(len(tokens), lanes)
    payload_bits = 8 * len(Symbolwise(base.for_frame(frame), frame).encode(tokens))
    float_bits = unrounded_bits(base, tokens, lanes)
    return {"payload_bits": payload_bits, "float_bits": float_bits, "percent": 100 * (payload_bits / float_bits - 1)}


def unrounded_bits(prior: Any, tokens: Any, lanes: int, window: int = 256) -> float:
    """Σ −log₂ p of tokens [N] in lanes that each start from nothing, by the training network in plain float32."""
    import math

    import torch

    net = unrounded(prior)
    layout = Layout.of(len(tokens), lanes, prior.stride)
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
    import functools

    import numpy as np
    import torch
    import torch.nn.functional as F

    from tokpress.training.nets.mingru import MinGRUNet
    from tokpress.training.nets.quantized import TINY, QuantEmbedding, QuantLinear

    def product(layer: QuantLinear, x: torch.Tensor) -> torch.Tensor:
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
            layer.forward = functools.partial(product, layer)
        elif isinstance(layer, QuantEmbedding):
            layer.forward = functools.partial(lambda table, tokens: table.weight[tokens], layer)
    return net
