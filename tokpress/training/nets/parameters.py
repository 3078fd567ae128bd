"""The parameters of a network in training, and their tensors in a model directory.

A first forward pass over a small batch makes the parameters; later ones find them by name. The operations are those of
`arithmetic.Trained`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import TokpressError
from ...exact.masks import is_raster
from ...exact.orders import Order, Shape
from . import state_space
from .base import PriorNet
from .quantized import Grid, quantize_weight, straight

Network = Callable[[Any, Tensor], Tensor]


class Parameters(PriorNet):
    """`network(arithmetic, inputs)` gives logits [B, T, V]; `inputs` [B, T] are the symbols one step before.

    given: number of symbols that each item is predicted from."""

    #: type of the factors of products; see `training.nets.quantized.set_product_dtype`
    product_dtype = torch.float32

    def __init__(
        self, network: Network, shape: Shape = (), order: Order | None = None, seed: int = 0, given: int = 0
    ) -> None:
        super().__init__()
        self.network, self.shape, self.item_order = network, shape, order
        self.order = (
            torch.zeros(0, dtype=torch.long) if order is None else torch.from_numpy(np.ascontiguousarray(order))
        )
        self.channels, self.raster = shape[2] if len(shape) == 3 else 1, is_raster(order)
        self.item = math.prod(shape) if shape else 0
        self.values = nn.ParameterDict()
        self.kinds: dict[str, str] = {}
        self.masks: dict[str, Tensor] = {}
        #: name of an attention → which steps each step may attend to
        self.patterns: dict[str, Tensor] = {}
        self.masked = True
        self.given, self.given_size = torch.zeros(2, given, dtype=torch.long), given
        self._targets: Tensor | None = None
        self._carried: dict[str, Tensor] = {}
        self._next: dict[str, Tensor] = {}
        self._rounded: dict[str, tuple[Tensor, Tensor]] = {}
        torch.manual_seed(seed)
        steps = self.item or 8
        with torch.no_grad():
            self._run(torch.zeros(2, steps, dtype=torch.long), {})
        self.states = {name: tuple(value.shape[1:]) for name, value in self._next.items()}

    def _run(self, inputs: Tensor, carried: dict[str, Tensor]) -> Tensor:
        self._carried, self._next, self._rounded = carried, {}, {}
        return self.network(self, inputs)

    def initial_state(self, rows: int) -> list[Tensor]:
        """One tensor [B, D]: all values that are carried from window to window."""
        width = sum(math.prod(shape) for shape in self.states.values())
        return [torch.zeros(rows, width, device=next(iter(self.values.values())).device)]

    def forward(
        self, inputs: Tensor, targets: Tensor, state: list[Tensor], given: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """(mean cross entropy in nats, the state before the next window)"""
        if given is not None:
            self.given = given
        self._targets = targets
        logits, state = self.logits(inputs, state)
        self._targets = None
        if logits.shape[2] == 1:  # log p of the targets: a mixture needs no pmf for it
            return -logits.mean(), state
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), state

    def logits(self, inputs: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        at, carried = 0, {}
        for name, shape in self.states.items():
            carried[name] = state[0][:, at : at + math.prod(shape)].unflatten(1, shape)
            at += math.prod(shape)
        logits = self._run(inputs, {} if self.item else carried).float()
        if self.item or not self.states:
            return logits, state
        return logits, [torch.cat([self._next[name].detach().flatten(1) for name in self.states], 1)]

    # --- parameters ------------------------------------------------------------------------------

    def _value(self, name: str, kind: str, make: Callable[[], Tensor]) -> Tensor:
        key = name.replace(".", "/")
        if key not in self.values:
            self.values[key] = nn.Parameter(make())
            self.kinds[name] = kind
        value: Tensor = self.values[key]
        return value

    def _vector(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        return self._value(name, "vector", make)

    def _matrix(
        self, name: str, outputs: int, inputs: int, gain: float, mask: Callable[[], Tensor] | None = None
    ) -> Tensor:
        def make() -> Tensor:
            weight = torch.randn(outputs, inputs)
            if mask is None:
                weight = weight * gain / inputs**0.5
            else:
                seen = self.masks[name] = mask()
                weight = weight * seen * gain / seen.sum(1, keepdim=True).clamp_min(1) ** 0.5
            return weight

        weight = self._value(name, "matrix", make)
        if mask is None:
            return weight
        if self.masks[name].device != weight.device:
            self.masks[name] = self.masks[name].to(weight.device)
        return weight * self.masks[name]

    def _integers(self, name: str, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(rounded weights, scale [N, 1]), computed once in a forward pass"""
        if name not in self._rounded:
            q, s = quantize_weight(weight.detach())
            self._rounded[name] = straight(q, weight / s).to(self.product_dtype), s
        return self._rounded[name]

    def _grid(self, x: Tensor, limit: float) -> Tensor:
        rounded: Tensor = Grid.apply(x, limit)  # type: ignore[no-untyped-call]
        return rounded.to(self.product_dtype)

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, np.ndarray]) -> None:
        """The reverse of `export`: the forward pass is that of the exported network."""
        tensors = dict(tensors)
        for name in self._state_spaces():
            exact = (torch.from_numpy(tensors[f"{name}.{part}"]) for part in ("transition", "readout"))
            tensors |= {f"{name}.{part}": v.numpy() for part, v in state_space.continuous(*exact).items()}
        for name, kind in self.kinds.items():
            if kind == "vector" and name in tensors:
                value = tensors[name]
            elif name + ".weight" in tensors:
                value = tensors[name + ".weight"] * tensors[name + ".scale"][:, None]
            else:
                raise TokpressError(f"the model to start from has no {name}")
            self.values[name.replace(".", "/")].copy_(torch.from_numpy(value))

    @torch.no_grad()
    def export(self) -> dict[str, np.ndarray]:
        """The tensors of model.safetensors: what the forward pass rounds to, as integers and scales."""
        out = {}
        for name, kind in self.kinds.items():
            value = self.values[name.replace(".", "/")].detach().float().cpu()
            if kind == "vector":
                out[name] = value.numpy().copy()
                continue
            q, s = quantize_weight(value * self.masks[name].cpu() if name in self.masks else value)
            out[name + ".weight"] = q.to(torch.int8).numpy()
            out[name + ".scale"] = s[:, 0].numpy().copy()
        for name in self._state_spaces():
            key = name.replace(".", "/")
            decay, angle, re, im = (self.values[f"{key}/{part}"] for part in state_space.PARTS)
            exact = state_space.discrete(decay, angle, re, im)
            out |= {f"{name}.{key}": value.float().cpu().numpy().copy() for key, value in exact.items()}
            for part in state_space.PARTS:
                del out[f"{name}.{part}"]
        return out

    def _state_spaces(self) -> list[str]:
        return [name.removesuffix(".log_decay") for name in self.kinds if name.endswith(".log_decay")]
