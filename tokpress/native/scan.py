"""The recurrence in training, over arrays [rows, steps, channels] (core/scan.c). `training.nets.scan` has the formulas and the twin."""

import ctypes
from typing import Any

from . import library
from .handle import COUNT, POINTER


def forward(f: Any, c: Any, h0: Any, h: Any, using: str | None = None) -> None:
    """Compute h [B, T, C] float32 from f and c of the same shape and h0 [B, C]. All are contiguous."""
    run = library.function("scan_forward", *[POINTER] * 4, *[COUNT] * 3, using=using)
    run(*(library.address(x)[0] for x in (f, c, h0)), library.writable(h)[0], *f.shape)


def backward(f: Any, c: Any, h0: Any, h: Any, g: Any, gf: Any, gc: Any, using: str | None = None) -> None:
    """Compute gf and gc [B, T, C], the gradients of f and c, from g, the gradient of h."""
    run = library.function("scan_backward", *[POINTER] * 8, *[COUNT] * 3, using=using)
    later = (ctypes.c_float * f.shape[2])()
    inputs = (library.address(x)[0] for x in (f, c, h0, h, g))
    run(*inputs, library.writable(gf)[0], library.writable(gc)[0], later, *f.shape)
