"""The recurrence of `scan` on a GPU: tiles of time, one after another, each scanned in parallel.

Within a tile the maps h ↦ f·h + b compose associatively (Blelloch 1990, "Prefix sums and their applications", §1.4):

    (f₁, b₁) then (f₂, b₂)  =  (f₁·f₂, f₂·b₁ + b₂)

so a tile of TIME steps takes log₂ TIME rounds; the composed map is applied to the state before the tile. A program works on
one row and CHANNELS channels. A loop over time of torch's kernels takes about a hundred times as long.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# (kernels are Triton's language: their arguments are pointers, and blocks of values)

import torch
import triton
import triton.language as tl
from torch import Tensor

TIME, CHANNELS = 32, 32


@triton.jit
def _then(f1, b1, f2, b2):
    return f1 * f2, f2 * b1 + b2


@triton.jit
def _forward(f_ptr, c_ptr, h0_ptr, h_ptr, steps, channels, TIME: tl.constexpr, CHANNELS: tl.constexpr):
    row, k = tl.program_id(0), tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = k < channels
    h = tl.load(h0_ptr + row * channels + k, mask=inside, other=0.0)
    last = tl.arange(0, TIME)[:, None] == TIME - 1
    for begin in range(0, steps, TIME):
        t = begin + tl.arange(0, TIME)
        at = (row.to(tl.int64) * steps + t)[:, None] * channels + k[None, :]
        there = (t < steps)[:, None] & inside[None, :]
        f = tl.load(f_ptr + at, mask=there, other=1.0)
        c = tl.load(c_ptr + at, mask=there, other=0.0)
        map_f, map_b = tl.associative_scan((f, (1 - f) * c), 0, _then)
        out = map_f * h[None, :] + map_b
        tl.store(h_ptr + at, out, mask=there)
        h = tl.sum(tl.where(last, out, 0.0), 0)


@triton.jit
def _backward(
    f_ptr, c_ptr, h0_ptr, h_ptr, g_ptr, gf_ptr, gc_ptr, steps, channels, TIME: tl.constexpr, CHANNELS: tl.constexpr
):
    row, k = tl.program_id(0), tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = k < channels
    h0 = tl.load(h0_ptr + row * channels + k, mask=inside, other=0.0)
    later = tl.zeros([CHANNELS], tl.float32)  # λ of the step after this tile
    first = tl.arange(0, TIME)[:, None] == 0
    tiles = tl.cdiv(steps, TIME)
    for i in range(0, tiles):
        t = (tiles - 1 - i) * TIME + tl.arange(0, TIME)
        at = (row.to(tl.int64) * steps + t)[:, None] * channels + k[None, :]
        there = (t < steps)[:, None] & inside[None, :]
        f_next = tl.load(f_ptr + at + channels, mask=(t < steps - 1)[:, None] & inside[None, :], other=0.0)
        g = tl.load(g_ptr + at, mask=there, other=0.0)
        map_f, map_b = tl.associative_scan((f_next, g), 0, _then, reverse=True)
        lam = map_f * later[None, :] + map_b
        f = tl.load(f_ptr + at, mask=there, other=0.0)
        c = tl.load(c_ptr + at, mask=there, other=0.0)
        before = tl.load(h_ptr + at - channels, mask=there & (t > 0)[:, None], other=0.0)
        before = tl.where((t == 0)[:, None], h0[None, :], before)
        tl.store(gf_ptr + at, lam * (before - c), mask=there)
        tl.store(gc_ptr + at, lam * (1 - f), mask=there)
        later = tl.sum(tl.where(first, lam, 0.0), 0)


def forward(f: Tensor, c: Tensor, h0: Tensor) -> Tensor:
    """h [B, T, C] from f, c [B, T, C] and h0 [B, C], float32."""
    f, c, h0 = f.contiguous(), c.contiguous(), h0.contiguous()
    h = torch.empty_like(f)
    rows, steps, channels = f.shape
    _forward[(rows, triton.cdiv(channels, CHANNELS))](f, c, h0, h, steps, channels, TIME, CHANNELS, num_warps=2)
    return h


def backward(f: Tensor, c: Tensor, h0: Tensor, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of f and c, where g is that of h."""
    f, c, h0, h, g = (x.contiguous() for x in (f, c, h0, h, g))
    gf, gc = torch.empty_like(f), torch.empty_like(f)
    rows, steps, channels = f.shape
    grid = (rows, triton.cdiv(channels, CHANNELS))
    _backward[grid](f, c, h0, h, g, gf, gc, steps, channels, TIME, CHANNELS, num_warps=2)
    return gf, gc
