"""The minGRU prior as a torch module: what `tokpress train` optimises. See `tokpress.priors.mingru`
for the formula, the names and the exact stepping of the same network."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .quantized import QuantEmbedding, QuantLinear, quantize_weight
from .scan import scan


def gate(x: Tensor) -> Tensor:
    """Algebraic sigmoid ½ + ½·x/√(1 + x²): the exact rule's replacement for 1/(1 + e^−x)."""
    return 0.5 + 0.5 * (x / torch.sqrt(1 + x * x))


def shifted(x: Tensor, last: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    """Token shift (RWKV-4, Peng et al. 2023, §3.1.1): μ·x_t + (1 − μ)·x_{t−1}; and the new last x."""
    before = torch.cat([last[:, None], x[:, :-1]], 1)
    return mu * x + (1 - mu) * before, x[:, -1].detach()


class Block(nn.Module):
    def __init__(self, width: int, hidden: int, depth: int):
        super().__init__()
        self.mix_in = QuantLinear(width, 3 * width, normed=True)
        self.mix_out = QuantLinear(width, width, gain=0.5 / depth**0.5)
        self.ff_in = QuantLinear(width, hidden, normed=True)
        self.ff_out = QuantLinear(hidden, width, gain=0.5 / depth**0.5)
        self.mix_mu = nn.Parameter(torch.full((width,), 0.7))
        self.ff_mu = nn.Parameter(torch.full((width,), 0.7))
        self.forget_bias = nn.Parameter(torch.linspace(0.0, 6.0, width))

    def forward(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        last_mix, h0, last_ff = state
        u, last_mix = shifted(x, last_mix, self.mix_mu)
        forget, candidate, out = self.mix_in(u).chunk(3, -1)
        f = gate(forget + self.forget_bias)
        h = scan(f.contiguous(), candidate.contiguous(), h0)
        x = x + self.mix_out(h * (out * gate(out)))
        u, last_ff = shifted(x, last_ff, self.ff_mu)
        x = x + self.ff_out(F.relu(self.ff_in(u)).square())
        return x, [last_mix, h[:, -1].detach(), last_ff]


class MinGRUNet(nn.Module):
    def __init__(self, symbols: int, width: int, depth: int, hidden: int):
        super().__init__()
        self.config = {"symbols": symbols, "width": width, "depth": depth, "hidden": hidden}
        self.embedding = QuantEmbedding(symbols, width)
        self.blocks = nn.ModuleList(Block(width, hidden, depth) for _ in range(depth))
        self.head = QuantLinear(width, symbols, normed=True, gain=0.3)
        self.bias = nn.Parameter(torch.zeros(symbols))

    def initial_state(self, rows: int) -> list[Tensor]:
        w = self.config["width"]
        return [torch.zeros(rows, w, device=self.bias.device) for _ in range(3 * len(self.blocks))]

    def forward(self, tokens: Tensor, targets: Tensor, state: list[Tensor]):
        """tokens, targets [B, T] → (mean cross entropy in nats, new state)"""
        x = self.embedding(tokens)
        new: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, part = block(x, state[3 * i : 3 * i + 3])
            new += part
        logits = self.head(x) + self.bias
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), new


@torch.no_grad()
def export(net: MinGRUNet) -> dict[str, np.ndarray]:
    """The tensors of model.safetensors: what the forward pass above rounds to, as integers and scales."""
    out: dict[str, np.ndarray] = {}
    for name, p in net.state_dict().items():
        if name.endswith(".weight"):
            q, s = quantize_weight(p.float().cpu())
            out[name] = q.to(torch.int8).numpy()
            out[name.removesuffix("weight") + "scale"] = s[:, 0].numpy().copy()
        else:
            out[name] = p.float().cpu().numpy().copy()
    return out


def restore(tensors: dict[str, np.ndarray]) -> MinGRUNet:
    """The reverse of `export`: a network whose float weights are the integers times their scales.

    What was below the rounding is lost; the forward pass, which rounds anyway, is the same."""
    net = MinGRUNet(**shape_of(tensors))
    weights = {}
    for name in net.state_dict():
        weight = torch.from_numpy(tensors[name].astype(np.float32))
        if name.endswith(".weight"):
            weight *= torch.from_numpy(tensors[name.removesuffix("weight") + "scale"])[:, None]
        weights[name] = weight
    net.load_state_dict(weights)
    return net


def shape_of(weights: Mapping[str, Tensor | np.ndarray]) -> dict[str, int]:
    """The arguments of the MinGRUNet that has this state_dict. Raises KeyError where it is of no such network."""
    symbols, width = weights["embedding.weight"].shape
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    return {"symbols": symbols, "width": width, "depth": depth, "hidden": len(weights["blocks.0.ff_in.weight"])}
