"""Quantisation-aware products: the forward pass rounds as the coder does, gradients pass straight through.

    weights      w_q = round(w / s),  s = max|w| / 63 per output row            (−64 … 63)
    activations  a   = round(x · 127 / max|x|) per row of x                     (−127 … 127)
    product      y   = (a · w_qᵀ) · s · r,   r = max|x| / 127   or, normalised,  r = 1 / rms(a)

a and w_q are small integers, which bfloat16 holds exactly, so the matrix products run in bfloat16
while master weights stay float32. Straight-through estimator: Bengio, Léonard & Courville (2013)
"Estimating or propagating gradients through stochastic neurons", §3.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHT_MAX = 63
ACTIVATION_MAX = 127
TINY = 1e-20
#: mean square below which the gradient of a norm grows no further
LEAST_SQUARE = 1e-4


def straight(rounded: Tensor, x: Tensor) -> Tensor:
    """The value of `rounded`, the gradient of `x`."""
    return x + (rounded - x).detach()


def over_rms(x: Tensor) -> Tensor:
    """x / rms(x), with a bounded gradient at rows of zeros. (The rounding that follows does not depend on the scale.)"""
    return x * x.square().mean(-1, keepdim=True).clamp_min(LEAST_SQUARE).rsqrt()


class Grid(torch.autograd.Function):
    """round(clip(x, ±ℓ)·127/ℓ). The gradient passes where nothing was clipped: where the result is below 127. (Storing a mask
    would take longer than the rounding on CPUs.)"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float) -> Tensor:
        a = (x * (ACTIVATION_MAX / limit)).clamp(-ACTIVATION_MAX, ACTIVATION_MAX).round()
        ctx.save_for_backward(a)
        ctx.limit = limit
        return a

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (a,) = ctx.saved_tensors
        return torch.where(a.abs() < ACTIVATION_MAX, g * (ACTIVATION_MAX / ctx.limit), 0.0), None


def quantize_weight(w: Tensor) -> tuple[Tensor, Tensor]:
    """(integers as float32 [out, in], scale [out, 1])"""
    s = w.abs().amax(1, keepdim=True).clamp_min(TINY) / WEIGHT_MAX
    return (w / s).round().clamp(-WEIGHT_MAX - 1, WEIGHT_MAX), s


def quantize_rows(x: Tensor, normed: bool) -> tuple[Tensor, Tensor]:
    """(integers as float32, row scale [..., 1]); `normed` divides by the row's root mean square."""
    peak = x.abs().amax(-1, keepdim=True).clamp_min(TINY)
    a = (x * (ACTIVATION_MAX / peak)).round()
    r = (a * a).mean(-1, keepdim=True).clamp_min(TINY).rsqrt() if normed else peak / ACTIVATION_MAX
    return a, r


class Product(torch.autograd.Function):
    """x wᵀ of rounded operands; x is divided by its RMS first where `normed`. The gradient is that of the product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, normed: bool, dtype: torch.dtype) -> Tensor:
        a, r = quantize_rows(x, normed)
        w_q, s = quantize_weight(w)
        a, w_q = a.to(dtype), w_q.to(dtype)
        ctx.save_for_backward((a * r).to(dtype), (w_q * s).to(dtype))
        return (a @ w_q.T).float() * s.T * r

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, w = ctx.saved_tensors
        g = g.to(w.dtype)
        return (g @ w).float(), (g.flatten(0, -2).T @ x.flatten(0, -2)).float(), None, None


class OwnClassProduct(torch.autograd.Function):
    """Row i of the result [N, M]: the product of row i of x, divided by its RMS, and the weights of its class only, w[of_class[i]].

    w [C · M, D] has M rows for each of C classes. Rows are sorted by class, and each class is a small product, so the other
    C − 1 are not computed. The gradient is that of the product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, of_class: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
        a, r = quantize_rows(x, True)
        w_q, s = quantize_weight(w)
        order = of_class.argsort()
        counts = of_class.bincount(minlength=classes).tolist()
        a, r = a[order].to(dtype), r[order]
        w_q, s = w_q.to(dtype).unflatten(0, (classes, -1)), s.view(classes, -1)
        ctx.save_for_backward((a * r).to(dtype), (w_q * s[:, :, None]).to(dtype), order)
        ctx.counts = counts
        y = torch.cat([rows @ members.T for rows, members in zip(a.split(counts), w_q)]).float()
        y = y * s[of_class[order]] * r
        return torch.empty_like(y).index_copy_(0, order, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, w, order = ctx.saved_tensors
        parts = g[order].to(w.dtype).split(ctx.counts)
        of_x = torch.cat([part @ members for part, members in zip(parts, w)]).float()
        of_w = torch.cat([part.T @ rows for part, rows in zip(parts, x.split(ctx.counts))]).float()
        return torch.empty_like(of_x).index_copy_(0, order, of_x), of_w, None, None, None


class QuantLinear(nn.Module):
    """y = W x with 7-bit weights and 8-bit activations. `normed`: x is divided by its RMS first (Zhang & Sennrich 2019). The
    RMS is that of the quantised row, an integer sum."""

    #: type of the factors of products; see `set_product_dtype`
    product_dtype = torch.float32

    def __init__(self, inputs: int, outputs: int, normed: bool = False, gain: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * gain / inputs**0.5)
        self.normed = normed

    def forward(self, x: Tensor) -> Tensor:
        if self.normed:
            x = over_rms(x)
        y: Tensor = Product.apply(x, self.weight, self.normed, self.product_dtype)  # type: ignore[no-untyped-call]
        return y

    def by_class(self, x: Tensor, classes: int, of_class: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, D], of_class [N] → (the first `classes` outputs [N, C], those of the members of each row's class [N, M]).

        The other outputs are M for each class, one class after the other."""
        x, weight = over_rms(x), self.weight
        tops: Tensor = Product.apply(x, weight[:classes], True, self.product_dtype)  # type: ignore[no-untyped-call]
        return tops, _own_class(x, weight[classes:], of_class, classes, self.product_dtype)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # the sizes of classes differ from batch to batch
def _own_class(x: Tensor, w: Tensor, of_class: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    y: Tensor = OwnClassProduct.apply(x, w, of_class, classes, dtype)  # type: ignore[no-untyped-call]
    return y


class QuantEmbedding(nn.Module):
    """Rows of 7-bit integers with one scale per row."""

    def __init__(self, symbols: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(symbols, width) * 0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        w = F.embedding(tokens, self.weight)
        s = w.detach().abs().amax(-1, keepdim=True).clamp_min(TINY) / WEIGHT_MAX
        q = (w.detach() / s).round().clamp(-WEIGHT_MAX - 1, WEIGHT_MAX) * s
        return w + (q - w).detach()


def product_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type that `precision` names: bf16, fp32, or auto. auto is bfloat16 on GPUs and on CPUs that multiply it in hardware
    (AVX512-BF16, AMX), elsewhere float32: emulated bfloat16 is slower."""
    if precision == "auto":
        fast_bf16 = device.type == "cuda" or (device.type == "cpu" and _cpu_multiplies_bf16())
        precision = "bf16" if fast_bf16 else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def _cpu_multiplies_bf16() -> bool:
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test is not None)


def set_product_dtype(net: nn.Module, dtype: torch.dtype) -> None:
    """Set the type of the factors of every product in `net`."""
    for module in net.modules():
        if hasattr(module, "product_dtype"):
            setattr(module, "product_dtype", dtype)  # noqa: B010 (several classes have it)
