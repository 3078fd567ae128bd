"""The training recurrence h_t = f_t·h_{t−1} + (1 − f_t)·c_t and its gradient, one pass over time each.

The channels of a row are independent and contiguous, so the inner loop is a SIMD loop and the whole
scan costs one read of f and c and one write of h: far below the matrix products around it
(measured by benchmarks/training_speed.py). On a GPU it is `scan_triton`'s. Backward, with λ_t the total gradient of h_t:

    λ_t = g_t + f_{t+1}·λ_{t+1}        ∂f_t = λ_t·(h_{t−1} − c_t)        ∂c_t = λ_t·(1 − f_t)

Shapes: f, c, h [B, T, C] float32; h0 [B, C]. Coding uses the same recurrence one step at a time
(`tokpress.exact.ops.recur`).
"""

from functools import lru_cache
from types import ModuleType
from typing import Any

import numba
import torch
from torch import Tensor

from ..exact import jit


@jit.njit(parallel=True)
def _forward(f, c, h0, h):
    rows, steps, channels = f.shape
    for b in numba.prange(rows):
        for k in range(channels):
            h[b, 0, k] = f[b, 0, k] * h0[b, k] + (1 - f[b, 0, k]) * c[b, 0, k]
        for t in range(1, steps):
            for k in range(channels):
                h[b, t, k] = f[b, t, k] * h[b, t - 1, k] + (1 - f[b, t, k]) * c[b, t, k]


@jit.njit(parallel=True)
def _backward(f, c, h0, h, g, gf, gc):
    rows, steps, channels = f.shape
    for b in numba.prange(rows):
        for k in range(channels):
            gc[b, steps - 1, k] = g[b, steps - 1, k]
        for t in range(steps - 2, -1, -1):
            for k in range(channels):
                gc[b, t, k] = g[b, t, k] + f[b, t + 1, k] * gc[b, t + 1, k]
        for t in range(steps - 1, 0, -1):
            for k in range(channels):
                lam = gc[b, t, k]
                gf[b, t, k] = lam * (h[b, t - 1, k] - c[b, t, k])
                gc[b, t, k] = lam * (1 - f[b, t, k])
        for k in range(channels):
            lam = gc[b, 0, k]
            gf[b, 0, k] = lam * (h0[b, k] - c[b, 0, k])
            gc[b, 0, k] = lam * (1 - f[b, 0, k])


def _array(t: Tensor) -> Any:
    return t.detach().contiguous().numpy()


@lru_cache(maxsize=1)
def _triton() -> ModuleType | None:
    try:
        from . import scan_triton
    except ImportError:
        return None
    return scan_triton


@torch.library.custom_op("tokpress::scan", mutates_args=())
def scan(f: Tensor, c: Tensor, h0: Tensor) -> Tensor:
    """h [B, T, C] from forget gates f, candidates c and the state h0 before the first step."""
    if f.device.type == "cuda" and (on_gpu := _triton()):
        return on_gpu.forward(f, c, h0)
    if f.device.type != "cpu":
        return _scan_torch(f, c, h0)
    h = torch.empty_like(f, memory_format=torch.contiguous_format)
    _forward(_array(f), _array(c), _array(h0), h.numpy())
    return h


def _scan_torch(f: Tensor, c: Tensor, h0: Tensor) -> Tensor:
    h, out = h0, torch.empty_like(f)
    for t in range(f.shape[1]):
        h = f[:, t] * h + (1 - f[:, t]) * c[:, t]
        out[:, t] = h
    return out


@scan.register_fake
def _scan_shape(f, c, h0):
    return torch.empty_like(f, memory_format=torch.contiguous_format)


@torch.library.custom_op("tokpress::scan_backward", mutates_args=())
def scan_backward(f: Tensor, c: Tensor, h0: Tensor, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of f and c. The state h0 gets none: backpropagation is truncated at the window."""
    if f.device.type == "cuda" and (on_gpu := _triton()):
        return on_gpu.backward(f, c, h0, h, g)
    if f.device.type != "cpu":
        lam, later = torch.empty_like(f), torch.zeros_like(h0)
        for t in range(f.shape[1] - 1, -1, -1):
            lam[:, t] = later = g[:, t] + later
            later = later * f[:, t]
        before = torch.cat([h0[:, None], h[:, :-1]], 1)
        return lam * (before - c), lam * (1 - f)
    gf = torch.empty_like(f, memory_format=torch.contiguous_format)
    gc = torch.empty_like(gf)
    _backward(_array(f), _array(c), _array(h0), _array(h), _array(g), gf.numpy(), gc.numpy())
    return gf, gc


@scan_backward.register_fake
def _scan_backward_shape(f, c, h0, h, g):
    e = torch.empty_like(f, memory_format=torch.contiguous_format)
    return e, torch.empty_like(e)


def _setup(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output)


def _autograd(ctx, g):
    f, c, h0, h = ctx.saved_tensors
    gf, gc = scan_backward(f, c, h0, h, g)
    return gf, gc, None


scan.register_autograd(_autograd, setup_context=_setup)
