"""The training recurrence h_t = f_t·h_{t−1} + (1 − f_t)·c_t and its gradient, one pass over time each.

The channels of a row are independent and contiguous, so the inner loop is a SIMD loop. A scan reads f and c once and writes h
once: far less work than the matrix products around it (measured by python -m benchmarks training_speed). GPUs use `scan_triton`.
Backward, with λ_t the total gradient of h_t:

    λ_t = g_t + f_{t+1}·λ_{t+1}        ∂f_t = λ_t·(h_{t−1} − c_t)        ∂c_t = λ_t·(1 − f_t)

Shapes: f, c, h [B, T, C] float32; h0 [B, C]. Coding uses the same recurrence one step at a time
(`tokpress.exact.ops.recur`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ...native import library
from ...native import scan as core


def _array(t: Tensor) -> Any:
    return t.detach().contiguous().numpy()


def _in_parts(run: Callable[..., None], *arrays: Any) -> None:
    """`run` on parts of the rows, by as many threads as torch uses; the core releases the interpreter meanwhile."""
    rows, parts = len(arrays[0]), torch.get_num_threads()
    if parts < 2 or rows < 2:
        run(*arrays)
        return
    parts = min(parts, rows)
    edges = [rows * i // parts for i in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda start, stop: run(*(x[start:stop] for x in arrays)), edges, edges[1:]))


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
        on_device: Tensor = on_gpu.forward(f, c, h0)
        return on_device
    if f.device.type != "cpu" or not library.is_here():
        return scan_by_steps(f, c, h0)
    h = torch.empty_like(f, memory_format=torch.contiguous_format)
    _in_parts(core.forward, _array(f), _array(c), _array(h0), h.numpy())
    return h


def scan_by_steps(f: Tensor, c: Tensor, h0: Tensor) -> Tensor:
    """`scan` by torch, a step at a time: the core's twin."""
    h, out = h0, torch.empty_like(f)
    for t in range(f.shape[1]):
        h = f[:, t] * h + (1 - f[:, t]) * c[:, t]
        out[:, t] = h
    return out


@scan.register_fake
def _scan_shape(f: Tensor, c: Tensor, h0: Tensor) -> Tensor:
    return torch.empty_like(f, memory_format=torch.contiguous_format)


@torch.library.custom_op("tokpress::scan_backward", mutates_args=())
def scan_backward(f: Tensor, c: Tensor, h0: Tensor, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of f and c. The state h0 gets none: backpropagation is truncated at the window."""
    if f.device.type == "cuda" and (on_gpu := _triton()):
        gradients: tuple[Tensor, Tensor] = on_gpu.backward(f, c, h0, h, g)
        return gradients
    if f.device.type != "cpu" or not library.is_here():
        return scan_backward_by_steps(f, c, h0, h, g)
    gf = torch.empty_like(f, memory_format=torch.contiguous_format)
    gc = torch.empty_like(gf)
    _in_parts(core.backward, _array(f), _array(c), _array(h0), _array(h), _array(g), gf.numpy(), gc.numpy())
    return gf, gc


def scan_backward_by_steps(f: Tensor, c: Tensor, h0: Tensor, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """`scan_backward` by torch, a step at a time: the core's twin."""
    lam, later = torch.empty_like(f), torch.zeros_like(h0)
    for t in range(f.shape[1] - 1, -1, -1):
        lam[:, t] = later = g[:, t] + later
        later = later * f[:, t]
    before = torch.cat([h0[:, None], h[:, :-1]], 1)
    return lam * (before - c), lam * (1 - f)


@scan_backward.register_fake
def _scan_backward_shape(f: Tensor, c: Tensor, h0: Tensor, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    gf = torch.empty_like(f, memory_format=torch.contiguous_format)
    return gf, torch.empty_like(gf)


def _setup(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs, output)


def _autograd(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
    f, c, h0, h = ctx.saved_tensors
    gf, gc = scan_backward(f, c, h0, h, g)
    return gf, gc, None


scan.register_autograd(_autograd, setup_context=_setup)
