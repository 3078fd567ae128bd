"""The minGRU prior as a torch module: what `tokpress train` optimises. See `tokpress.priors.text.mingru`
for the formula, the names and the exact stepping of the same network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...priors.text.grams import slots
from .base import PriorNet
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
    def __init__(self, width: int, hidden: int, depth: int, dropout: float):
        super().__init__()
        self.drop = nn.Dropout(dropout)
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
        x = x + self.drop(self.mix_out(h * (out * gate(out))))
        u, last_ff = shifted(x, last_ff, self.ff_mu)
        x = x + self.drop(self.ff_out(F.relu(self.ff_in(u)).square()))
        return x, [last_mix, h[:, -1].detach(), last_ff]


class Grams(nn.Module):
    """Vectors of hashed n-grams that are added to the embedding (priors/text/grams.py). They are 0 at first."""

    def __init__(self, rows: int, features: int, width: int, dropout: float):
        super().__init__()
        self.rows, self.drop = rows, nn.Dropout(dropout)
        self.two, self.three = QuantEmbedding(rows, features), QuantEmbedding(rows, features)
        nn.init.zeros_(self.two.weight)
        nn.init.zeros_(self.three.weight)
        self.mix = QuantLinear(2 * features, width)

    def forward(self, tokens: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, T], last [B, width] → (vectors [B, T, width], the new last). The first two values of a row of `last` are
        the two symbols before its tokens."""
        symbols = torch.cat([last[:, :2].flip(1).long(), tokens], 1)
        two, three = slots(tokens, symbols[:, 1:-1], symbols[:, :-2], self.rows)
        new = torch.zeros_like(last)
        new[:, :2] = symbols[:, -2:].flip(1)
        return self.drop(self.mix(torch.cat([self.two(two), self.three(three)], -1))), new


class MinGRUNet(PriorNet):
    """classes: classes of a class-factored softmax (`tokpress.priors.text.class_head`), of V / classes members each; 0: one softmax.
    place [V]: position of each symbol when the classes follow one another; without it, the symbol itself. dropout: of the
    output of blocks and tables (Srivastava et al. 2014)."""

    def __init__(
        self,
        symbols: int,
        width: int,
        depth: int,
        hidden: int,
        grams: int = 0,
        features: int = 0,
        classes: int = 0,
        place: np.ndarray | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.config = {"symbols": symbols, "width": width, "depth": depth, "hidden": hidden}
        self.embedding = QuantEmbedding(symbols, width)
        if grams:
            self.config |= {"grams": grams, "features": features}
            self.embedding_grams = Grams(grams, features, width, dropout)
        self.blocks = nn.ModuleList(Block(width, hidden, depth, dropout) for _ in range(depth))
        self.classes = classes
        self.place: Tensor
        if classes:
            self.config |= {"classes": classes}
            self.register_buffer("place", torch.arange(symbols) if place is None else torch.from_numpy(place).long())
        self.head = QuantLinear(width, classes + symbols, normed=True, gain=0.3)
        self.bias = nn.Parameter(torch.zeros(classes + symbols))

    def initial_state(self, rows: int) -> list[Tensor]:
        w = self.config["width"]
        parts = 3 * len(self.blocks) + ("grams" in self.config)
        return [torch.zeros(rows, w, device=self.bias.device) for _ in range(parts)]

    def forward(self, tokens: Tensor, targets: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """tokens, targets [B, T] → (mean cross entropy in nats, new state)"""
        x = self.embedding(tokens)
        if "grams" in self.config:
            added, last = self.embedding_grams(tokens, state[-1])
            x = x + added
        new: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, part = block(x, state[3 * i : 3 * i + 3])
            new += part
        if "grams" in self.config:
            new.append(last)
        return self.loss(x, targets), new

    def compile_parts(self) -> None:
        """Compile each part that `forward` calls as a graph of its own."""
        for block in self.blocks:
            block.compile(dynamic=False)
        self.loss = torch.compile(self.loss, dynamic=False)  # type: ignore[method-assign]
        if "grams" in self.config:
            self.embedding_grams.compile(dynamic=False)

    def loss(self, x: Tensor, targets: Tensor) -> Tensor:
        if not self.classes:
            return F.cross_entropy((self.head(x) + self.bias).flatten(0, 1), targets.flatten())
        place = self.place[targets.flatten()]
        size = (len(self.bias) - self.classes) // self.classes
        of_class, member = place // size, place % size
        class_logits, member_logits = self.head.by_class(x.flatten(0, 1), self.classes, of_class)
        class_bias, member_bias = self.bias[: self.classes], self.bias[self.classes :].unflatten(0, (-1, size))
        of_classes = F.cross_entropy(class_logits + class_bias, of_class)
        return of_classes + F.cross_entropy(member_logits + member_bias[of_class], member)


@torch.no_grad()
def export(net: MinGRUNet) -> dict[str, np.ndarray]:
    """The tensors of model.safetensors: what the forward pass above rounds to, as integers and scales."""
    out: dict[str, np.ndarray] = {}
    for name, p in net.state_dict().items():
        if name.endswith(".weight"):
            q, s = quantize_weight(p.float().cpu())
            out[name] = q.to(torch.int8).numpy()
            out[name.removesuffix("weight") + "scale"] = s[:, 0].numpy().copy()
        elif name == "place":
            out[name] = p.to(torch.int32).cpu().numpy()
        else:
            out[name] = p.float().cpu().numpy().copy()
    return out


def restore(tensors: Mapping[str, np.ndarray]) -> MinGRUNet:
    """The reverse of `export`: a network whose float weights are the integers times their scales.

    Its forward pass, which rounds anyway, is that of the exported network."""
    net = MinGRUNet(**shape_of(tensors))
    weights = {}
    for name in net.state_dict():
        weight = torch.from_numpy(tensors[name].astype(np.float32))
        if name.endswith(".weight"):
            weight *= torch.from_numpy(tensors[name.removesuffix("weight") + "scale"])[:, None]
        weights[name] = weight.long() if name == "place" else weight
    net.load_state_dict(weights)
    return net


def shape_of(weights: Mapping[str, Tensor | np.ndarray]) -> dict[str, Any]:
    """The arguments of the MinGRUNet that has this state_dict. Raises KeyError where no MinGRUNet has it."""
    symbols, width = weights["embedding.weight"].shape
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    shape = {"symbols": symbols, "width": width, "depth": depth, "hidden": len(weights["blocks.0.ff_in.weight"])}
    if "embedding_grams.two.weight" in weights:
        shape["grams"], shape["features"] = weights["embedding_grams.two.weight"].shape
    if "place" in weights:
        shape["classes"] = len(weights["bias"]) - symbols
    return shape
