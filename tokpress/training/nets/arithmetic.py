"""The arithmetic in which a prior's network trains: all steps at once, with gradients.

The operations are those of `exact.network_ops.NetworkOps`, which explains each; values are [B, T, C] here. `rowwise` has the
operations on single rows, `parameters` the parameters.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import TokpressError
from ...exact.attention import Pattern
from ...exact.masks import Taps, earlier_mask, joinable, own_mask, taps_of
from ...exact.network_ops import Stack
from ...exact.orders import Shape, make_order
from . import state_space
from .logistics import log_mass, log_pmf
from .quantized import ACTIVATION_MAX
from .rowwise import RowwiseTrained
from .scan import scan

#: blocks of rows in which a triangular matrix is multiplied
BLOCKS = 4


def _floats(mask: np.ndarray) -> Tensor:
    return torch.from_numpy(mask).float()


class Trained(RowwiseTrained):
    """The operations; values are [B, T, C]."""

    # --- products --------------------------------------------------------------------------------

    def conv(
        self,
        name: str,
        x: Tensor,
        taps: Taps,
        outputs: int,
        limit: float = 4.0,
        strict: bool = False,
        gain: float = 1.0,
    ) -> Tensor:
        taps, c = taps_of(taps, strict, self.channels, self.raster), self.channels
        inputs, count = c * x.shape[-1], len(taps)
        mask = None if c == 1 else lambda: _floats(own_mask(taps, strict, c, x.shape[-1], outputs))
        q, s = self._integers(name, self._matrix(name, c * outputs, count * inputs, gain, mask))
        a = self._grid(x, limit)
        if strict:  # the input of a step is the symbol before it
            a = F.pad(a[:, 1:], (0, 0, 0, 1))
        a = a.unflatten(1, (-1, c)).flatten(2)
        # pixels outside the picture are 0; left of a row is outside, not the row above
        y = self._conv_steps(a, q, taps) if len(taps[0]) == 1 else self._conv_grid(a, q, taps)
        # not zeros: all features would be 0 where every tap is outside, and a norm divides by their size
        bias = self._vector(name + ".bias", lambda: torch.randn(c * outputs) * 0.1)
        y = y.float() * (s[:, 0] * (limit / ACTIVATION_MAX)) + bias
        split: Tensor = y.unflatten(2, (c, outputs))
        return split.flatten(1, 2)

    def _conv_steps(self, a: Tensor, q: Tensor, taps: Taps) -> Tensor:
        steps = a.shape[1]
        shifted = [F.pad(a, (0, 0, -tap[0], 0))[:, :steps] for tap in taps]
        return torch.cat(shifted, 2) @ q.T

    def _conv_grid(self, a: Tensor, q: Tensor, taps: Taps) -> Tensor:
        top, left, right = -min(t[0] for t in taps), -min(t[1] for t in taps), max(t[1] for t in taps)
        at = torch.tensor([(t[0] + top) * (left + right + 1) + t[1] + left for t in taps], device=q.device)
        size = (top + max(t[0] for t in taps) + 1, left + right + 1)
        kernel = q.new_zeros(q.shape[0], a.shape[2], size[0] * size[1])
        kernel = kernel.index_copy(2, at, q.unflatten(1, (len(taps), -1)).transpose(1, 2)).unflatten(2, size)
        grid = a.unflatten(1, self.shape[:2]).permute(0, 3, 1, 2)
        grid = F.pad(grid, (left, right, top, 0)).contiguous(memory_format=torch.channels_last)
        y = F.conv2d(grid, kernel.contiguous(memory_format=torch.channels_last))
        return y[:, :, : self.shape[0]].permute(0, 2, 3, 1).flatten(1, 2)

    def joined(
        self, name: str, x: Tensor, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Tensor:
        size, width = self.item, x.shape[-1]
        joinable(size, width, outputs)

        def mask() -> Tensor:
            return _floats(earlier_mask(size, strict, width, outputs))

        q, s = self._integers(name, self._matrix(name, size * outputs, size * width, gain, mask))
        a = self._grid(x, limit)
        if strict:
            a = F.pad(a[:, 1:], (0, 0, 0, 1))
        a = a.flatten(1)
        ends = [size * (i + 1) // BLOCKS for i in range(BLOCKS)]  # leaves out most of the masked products
        y = torch.cat(
            [
                a[:, : stop * width] @ q[start * outputs : stop * outputs, : stop * width].T
                for start, stop in zip([0, *ends], ends)
            ],
            1,
        )
        y = y.float() * (s[:, 0] * (limit / ACTIVATION_MAX))
        split: Tensor = y.unflatten(1, (size, outputs))
        return split + self._vector(name + ".bias", lambda: torch.zeros(size, outputs))

    def coordinates(self, name: str, width: int) -> Tensor:
        rows, columns, channels = (*self.shape, 1, 1)[:3]

        def table(part: str, count: int) -> Tensor:
            return self._vector(f"{name}.{part}", lambda: torch.randn(count, width) * 0.3)

        if self.item_order is None:
            raise TokpressError("coordinates are of items; give the prior a shape")
        order = self.order.to(table("row", rows).device)
        out: Tensor = table("row", rows)[order // (columns * channels)]
        if columns > 1:
            out = out + table("column", columns)[order // channels % columns]
        if channels > 1:
            out = out + table("channel", channels)[order % channels]
        return out[None]

    # --- over time ---------------------------------------------------------------------------------

    def _begin(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """The state of this name after the window before; zeros at first."""
        carried = self._carried.get(name)
        return like.new_zeros(len(like), *shape) if carried is None else carried

    def recur(self, name: str, f: Tensor, c: Tensor) -> Tensor:
        h: Tensor = scan(f.contiguous(), c.contiguous(), self._begin(name, f, f.shape[-1]))
        self._next[name] = h[:, -1]
        return h

    def vertical(self, name: str, stack: Stack, x: Tensor) -> Tensor:
        c = self.channels
        pixels = F.pad(x[:, 1:], (0, 0, 0, 1)).unflatten(1, (-1, c)).flatten(2)
        self.channels = 1  # one value for all channels of a pixel
        try:
            features: Tensor = stack(self, F.pad(pixels[:, :-1], (0, 0, 1, 0)))
        finally:
            self.channels = c
        return features.repeat_interleave(c, 1) if c > 1 else features

    def upsampled(self, name: str, shape: Shape, symbols: int, width: int, outputs: int) -> Tensor:
        grid = self._grid(self.embed(name + ".embedding", self.given, symbols, width), 4.0)
        h, w, count = *shape[:2], grid.shape[2] * math.prod(shape[2:])
        around = F.pad(grid.reshape(-1, h, w, count), (0, 0, 1, 1, 1, 1))
        gathered = torch.cat([around[:, r : r + h, c : c + w] for r in range(3) for c in range(3)], 3)
        q, s = self._integers(name, self._matrix(name, outputs, 9 * count, 1.0))
        y = (gathered @ q.T).float() * (s[:, 0] * (4.0 / ACTIVATION_MAX))
        y = (y + self._vector(name + ".bias", lambda: torch.zeros(outputs))).flatten(1, 2)
        rows = torch.arange(self.shape[0]) * h // self.shape[0]
        columns = torch.arange(self.shape[1]) * w // self.shape[1]
        source = (rows[:, None] * w + columns).flatten().repeat_interleave(self.channels)
        upsampled: Tensor = y[:, source.to(y.device)]
        return upsampled

    def encoded(self, stack: Stack, shape: Shape) -> Tensor:
        own = self.shape, self.order, self.item_order, self.channels, self.item, self.masked
        order = make_order("raster", shape)
        try:
            self.shape, self.item_order, self.item, self.masked = shape, order, len(order), False
            self.channels = shape[2] if len(shape) == 3 else 1
            self.order = torch.from_numpy(order)
            features: Tensor = stack(self, self.given)
            return features
        finally:
            self.shape, self.order, self.item_order, self.channels, self.item, self.masked = own

    def attend_given(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        return self._attend(q, k, v, heads, None, causal=False)

    def unroll(self, name: str, cell: Callable[..., Sequence[Tensor]], x: Tensor, widths: Sequence[int]) -> Tensor:
        self.unrolls = True
        state = [self._begin(f"{name}.{i}", x, width) for i, width in enumerate(widths)]
        out = []
        for x_t in x.unbind(1):
            state = list(cell(x_t, *state))
            out.append(state[0])
        self._next |= {f"{name}.{i}": value for i, value in enumerate(state)}
        return torch.stack(out, 1)

    def attend(
        self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int, reach: int = 0, pattern: Pattern | None = None
    ) -> Tensor:
        steps, mask = q.shape[1], None
        if reach:
            bias = self._vector(name + ".distance", lambda: torch.zeros(heads, reach))
            age = torch.arange(steps, device=q.device)
            age = age[:, None] - age[None]
            seen = (age >= 0) & (age < reach)
            mask = bias[:, age.clamp(0, reach - 1)].masked_fill(~seen, -math.inf)[None].to(self.product_dtype)
        elif pattern is not None:
            if name not in self.patterns:  # made by the first forward pass, which is not compiled
                allowed = torch.zeros(steps, steps, dtype=torch.bool)
                for t in range(steps):
                    allowed[t, torch.from_numpy(pattern(t))] = True
                self.patterns[name] = allowed
            mask = self.patterns[name].to(q.device)
        return self._attend(q, k, v, heads, mask, causal=self.masked and mask is None)

    def attend_linear(self, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        d = q.shape[2] // heads
        q, k, v = (x.unflatten(2, (heads, -1)) for x in (self.positive(q), self.positive(k), v))
        out, self._next[name] = state_space.linear_attention(q, k, v, self._begin(name, q, heads, d, d + 1))
        return out.flatten(2)

    def state_space(self, name: str, u: Tensor, size: int) -> Tensor:
        width = u.shape[2]
        first = state_space.initial(width, size)
        decay, angle, re, im = (self._vector(f"{name}.{part}", first[part].clone) for part in state_space.PARTS)
        y, self._next[name] = state_space.convolve(u, self._begin(name, u, 2, width, size), decay, angle, re, im)
        return y + self._vector(name + ".skip", lambda: torch.ones(width)) * u

    # --- conditionals ------------------------------------------------------------------------------

    def predict(self, name: str, x: Tensor, symbols: int) -> Tensor:
        logits = self.linear(name, x, symbols, normed=True, gain=0.3)
        return logits + self._vector(name + ".bias", lambda: torch.zeros(symbols))

    def predict_logits(self, logits: Tensor) -> Tensor:
        return F.pad(logits, (1, 0))

    def predict_logistics(self, name: str, x: Tensor, symbols: int, components: int) -> Tensor:
        def bias() -> Tensor:
            parts = [torch.zeros(components), torch.linspace(-0.8, 0.8, components), torch.full((components,), -1.5)]
            return torch.cat(parts)

        y = self.linear(name, x, 3 * components, normed=True, gain=0.3)
        log_weights, means, log_scales = (y + self._vector(name + ".bias", bias)).chunk(3, -1)
        if self._targets is not None:
            return log_mass(log_weights, means, log_scales, self._targets, symbols)[..., None]
        return log_pmf(log_weights, means, log_scales, symbols)
