"""Operations on single rows of features in training (`exact.network_ops.RowOps`), with gradients; values are [B, T, C].

They round as the coder does, so the trained rate is the coded rate. Gradients pass straight through (Bengio et al. 2013, §3).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...exact.attention import VALUE_LIMIT
from .parameters import Parameters
from .quantized import ACTIVATION_MAX, TINY, WEIGHT_MAX, Product, over_rms, straight


class RowwiseTrained(Parameters):
    def embed(self, name: str, tokens: Tensor, symbols: int, width: int) -> Tensor:
        def make() -> Tensor:
            table = torch.randn(symbols, width) * 0.5
            # ordered symbols (intensities) differ from the start; many of them by a step of the activation grid
            peak = 4.0 if self.item and symbols >= 64 else 1.0
            table[:, 0] = torch.linspace(-peak, peak, symbols)
            return table

        weight = self._value(name, "table", make)[tokens]
        s = weight.detach().abs().amax(-1, keepdim=True).clamp_min(TINY) / WEIGHT_MAX
        return straight((weight.detach() / s).round() * s, weight)

    def linear(
        self, name: str, x: Tensor, outputs: int, normed: bool = False, limit: float = 0.0, gain: float = 1.0
    ) -> Tensor:
        weight = self._matrix(name, outputs, x.shape[-1], gain)
        if limit:
            q, s = self._integers(name, weight)
            return (self._grid(x, limit) @ q.T).float() * s.T * (limit / ACTIVATION_MAX)
        if normed:
            x = over_rms(x)
        y: Tensor = Product.apply(x, weight, normed, self.product_dtype)  # type: ignore[no-untyped-call]
        return y

    def bias(self, name: str, width: int, first: float = 0.0, last: float | None = None) -> Tensor:
        return self._vector(name, lambda: torch.linspace(first, first if last is None else last, width))

    def norm(self, x: Tensor) -> Tensor:
        up = ACTIVATION_MAX / x.detach().abs().amax(-1, keepdim=True).clamp_min(TINY)
        squares = (x.detach() * up).round().square().mean(-1, keepdim=True).clamp_min(1 / x.shape[-1])
        return straight(x.detach() * (up * squares.rsqrt()), over_rms(x))

    def gate(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * (x / torch.sqrt(1 + x * x))

    def bounded(self, x: Tensor) -> Tensor:
        return x / torch.sqrt(1 + x * x)

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def positive(self, x: Tensor) -> Tensor:
        return 0.5 * (x + torch.sqrt(x * x + 1))

    def dropout(self, x: Tensor, share: float) -> Tensor:
        return F.dropout(x, share, self.training)

    def joint(self, *x: Tensor) -> Tensor:
        rows = max(len(v) for v in x)
        return torch.cat([v.expand(rows, -1, -1) for v in x], -1)

    def parts(self, x: Tensor, count: int) -> Sequence[Tensor]:
        return x.chunk(count, -1)

    # --- attention, of priors and of autoencoders ---------------------------------------------------

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None, causal: bool) -> Tensor:
        q, k, v = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in (q, k, v))
        q, k = self._rounded_rows(q).to(self.product_dtype), self._rounded_rows(k).to(self.product_dtype)
        v = (self._grid(v, VALUE_LIMIT) * (VALUE_LIMIT / ACTIVATION_MAX)).to(self.product_dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return out.transpose(1, 2).flatten(2).float()

    @staticmethod
    def _rounded_rows(x: Tensor) -> Tensor:
        s = x.detach().abs().amax(-1, keepdim=True).clamp_min(TINY) / ACTIVATION_MAX
        return straight((x.detach() / s).round() * s, x)
