"""The arithmetic of autoencoders in training: the operations of `exact.network_ops.FieldOps`, with gradients.

Values are [B, D_1·D_2·…, C] here.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...exact.network_ops import Spans
from .parameters import Network
from .quantized import ACTIVATION_MAX
from .rowwise import RowwiseTrained

CONVOLUTIONS: dict[int, Callable[[Tensor, Tensor], Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class TrainedFields(RowwiseTrained):
    """`run(arithmetic, x)` is called once on zeros [2, positions, channels], to make the parameters. `dims`: sides of x."""

    dims: tuple[int, ...]

    def __init__(self, run: Network, dims: tuple[int, ...], channels: int, seed: int = 0) -> None:
        def first(m: "TrainedFields", _: Tensor) -> Tensor:
            return m.run(run, torch.zeros(2, math.prod(dims), channels), dims)

        super().__init__(first, (), None, seed)

    def run(self, network: Network, x: Tensor, dims: tuple[int, ...]) -> Tensor:
        self.dims, self._rounded = dims, {}
        return network(self, x)

    def conv(self, name: str, x: Tensor, spans: Spans, outputs: int, limit: float = 4.0, gain: float = 1.0) -> Tensor:
        sides = [last - first + 1 for first, last in spans]
        q, s = self._integers(name, self._matrix(name, outputs, math.prod(sides) * x.shape[-1], gain))
        kernel = q.unflatten(1, (*sides, x.shape[-1])).movedim(-1, 1)
        grid = self._grid(x, limit).unflatten(1, self.dims).movedim(-1, 1)
        grid = F.pad(grid, [margin for first, last in reversed(spans) for margin in (-first, last)])
        if len(spans) == 2:
            layout = torch.channels_last
            grid, kernel = grid.contiguous(memory_format=layout), kernel.contiguous(memory_format=layout)
        y = CONVOLUTIONS[len(spans)](grid, kernel).flatten(2).transpose(1, 2)
        bias = self._vector(name + ".bias", lambda: torch.randn(outputs) * 0.1)
        return y.float() * (s[:, 0] * (limit / ACTIVATION_MAX)) + bias

    def down(self, x: Tensor, factors: Sequence[int]) -> Tensor:
        d = len(factors)
        self.dims = tuple(side // f for side, f in zip(self.dims, factors))
        split: Tensor = x.unflatten(1, [s for pair in zip(self.dims, factors) for s in pair])
        order = [0, *range(1, 2 * d + 1, 2), *range(2, 2 * d + 1, 2), 2 * d + 1]
        return split.permute(order).flatten(1, d).flatten(2)

    def up(self, x: Tensor, factors: Sequence[int]) -> Tensor:
        d = len(factors)
        split: Tensor = x.unflatten(1, self.dims).unflatten(-1, (*factors, -1))
        order = [0, *(axis for i in range(d) for axis in (1 + i, 1 + d + i)), 2 * d + 1]
        self.dims = tuple(side * f for side, f in zip(self.dims, factors))
        return split.permute(order).flatten(1, 2 * d)

    def ahead(self, x: Tensor, count: int) -> Tensor:
        size = x.shape[1] // self.dims[0]
        self.dims = (self.dims[0] + count, *self.dims[1:])
        return torch.cat([x[:, :size]] * count + [x], 1)

    def places(self, name: str, width: int) -> Tensor:
        out = torch.zeros(())
        for i, side in enumerate(self.dims):

            def make(side: int = side) -> Tensor:
                return torch.randn(side, width) * 0.3

            vector = self._vector(f"{name}.{i}", make)
            out = out + vector.reshape(*(side if j == i else 1 for j in range(len(self.dims))), width)
        return out.reshape(1, -1, width)

    def attend(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return self._attend(q, k, v, heads, None, causal=False)

    def append_vectors(self, x: Tensor, name: str, count: int) -> Tensor:
        vectors = self._vector(name, lambda: torch.randn(count, x.shape[-1]) * 0.3)
        self.dims = (x.shape[1] + count,)
        return torch.cat([x, vectors.expand(len(x), -1, -1)], 1)

    def cut(self, x: Tensor, first: int, last: int, dims: tuple[int, ...]) -> Tensor:
        self.dims = dims
        return x[:, first:last]
