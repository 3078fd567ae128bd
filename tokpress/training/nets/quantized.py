"""Quantisation-aware products: the forward pass rounds as the coder does, gradients pass straight through.

    weights      w_q = round(w / s),  s = max|w| / 63 per output row            (−64 … 63)
    activations  a   = round(x · 127 / max|x|) per row of x                     (−127 … 127)
    product      y   = (a · w_qᵀ) · s · r,   r = max|x| / 127   or, normalised,  r = 1 / rms(a)

a and w_q are small integers, which bfloat16 holds exactly, so the matrix products run in bfloat16
while master weights stay float32. Straight-through estimator: Bengio, Léonard & Courville (2013)
"Estimating or propagating gradients through stochastic neurons", §3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHT_MAX = 63
ACTIVATION_MAX = 127
TINY = 1e-20
#: rows of a smaller mean square are not blown up to 1 by the gradient of a norm
LEAST_SQUARE = 1e-4


def straight(rounded: Tensor, x: Tensor) -> Tensor:
    """The value of `rounded`, the gradient of `x`."""
    return x + (rounded - x).detach()


def over_rms(x: Tensor) -> Tensor:
    """x / rms(x), whose gradient at a row of zeros is no explosion. (What is rounded afterwards has no scale.)"""
    return x * x.square().mean(-1, keepdim=True).clamp_min(LEAST_SQUARE).rsqrt()


class Grid(torch.autograd.Function):
    """round(clip(x, ±ℓ)·127/ℓ), the gradient passing where nothing was clipped. What is rounded tells where that was: a
    mask of its own would cost more than the rounding, since storing one is slow on CPUs."""

    @staticmethod
    def forward(ctx, x, limit):
        a = (x * (ACTIVATION_MAX / limit)).clamp(-ACTIVATION_MAX, ACTIVATION_MAX).round()
        ctx.save_for_backward(a)
        ctx.limit = limit
        return a

    @staticmethod
    def backward(ctx, g):
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
    @staticmethod
    def forward(ctx, x, w, normed, dtype):
        a, r = quantize_rows(x, normed)
        w_q, s = quantize_weight(w)
        a, w_q = a.to(dtype), w_q.to(dtype)
        ctx.save_for_backward((a * r).to(dtype), (w_q * s).to(dtype))
        return (a @ w_q.T).float() * s.T * r

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        g = g.to(w.dtype)
        return (g @ w).float(), (g.flatten(0, -2).T @ x.flatten(0, -2)).float(), None, None


class QuantLinear(nn.Module):
    """y = W x with 7-bit weights and 8-bit activations. `normed`: x is divided by its RMS first
    (Zhang & Sennrich 2019), the RMS being taken of the quantised row so that it is an integer sum."""

    #: of the products; see `set_product_dtype`
    product_dtype = torch.float32

    def __init__(self, inputs: int, outputs: int, normed: bool = False, gain: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * gain / inputs**0.5)
        self.normed = normed

    def forward(self, x: Tensor) -> Tensor:
        if self.normed:
            x = over_rms(x)
        return Product.apply(x, self.weight, self.normed, self.product_dtype)


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
    """bf16, fp32, or auto: bfloat16 on GPUs and on CPUs that multiply it in hardware (AVX512-BF16, AMX);
    elsewhere it is emulated and slower than float32."""
    if precision == "auto":
        has = device.type == "cuda" or (device.type == "cpu" and _cpu_multiplies_bf16())
        precision = "bf16" if has else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]


def _cpu_multiplies_bf16() -> bool:
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test is not None)


def set_product_dtype(net: nn.Module, dtype: torch.dtype) -> None:
    for module in net.modules():
        if hasattr(module, "product_dtype"):
            setattr(module, "product_dtype", dtype)  # noqa: B010 (whichever class has it)
