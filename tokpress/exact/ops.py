"""The element-wise operations of the exact layers, written once for numpy and torch (array API).

Only correctly rounded IEEE float32 operations in a fixed order (+ − × ÷ √ min max round floor) and
integer sums: the same bits on every CPU, GPU, thread count and batch size (docs/exactness.md).
`xp` is numpy or array_api_compat.torch. The core has the same functions as single loops (`tokpress.native.rows`). A test compares
the bits of both.

Shapes: n rows (lanes), K inputs, N outputs. acc [n, N] float32 holds an integer sum, s [N] the weight
scales, r [n, 1] the row scales, a [n, K] float32 holding integers −127 … 127.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ..lazy import np

Array = Any

ACTIVATION_MAX = 127.0
PER_ACTIVATION_MAX = 0.007874015718698501586914  # float32(1 / 127)
TINY = 2.0**-66
LOG2_E = 1.44269502162933349609375  # float32(log2 e)
#: 2^−f on [0, 1): Chebyshev fit of degree 5 rounded to float32, relative error below 4e-7 (tests/exact/test_ops.py)
EXP2_NEG = (
    1.0,
    -0.6931431889533997,
    0.24017949402332306,
    -0.055299606174230576,
    0.009210875257849693,
    -0.0009475536644458771,
)
WEIGHT_BITS = 23


def per(count: int) -> float:
    """float32(1 / count)"""
    return float(np.float32(1.0) / np.float32(count))


def sqrt(xp: ModuleType, x: Array) -> Array:
    """Correctly rounded √. torch's own float32 root is not (its vector library allows almost one unit),
    so there the root is taken in float64: no float32 has a root so near a rounding boundary that an
    error of one float64 unit could cross it (53 ≥ 2·24 + 2; Figueroa 1995)."""
    if xp.__name__ == "numpy":
        return np.sqrt(x)
    return xp.astype(xp.sqrt(xp.astype(x, xp.float64)), xp.float32)


def quantize_rows(xp: ModuleType, x: Array) -> tuple[Array, Array]:
    """a = round(x · 127 / max|x|) per row, and the row scale max|x| / 127."""
    peak = xp.maximum(xp.max(xp.abs(x), axis=-1, keepdims=True), xp.asarray(TINY, dtype=x.dtype))
    # no division by or of a constant other than 1: torch turns those into reciprocals, which round twice
    return xp.round(x * ((1.0 / peak) * ACTIVATION_MAX)), peak * PER_ACTIVATION_MAX


def normalize_rows(xp: ModuleType, x: Array) -> tuple[Array, Array]:
    """RMS norm and quantisation in one: the row scale is 1 / rms(a), from an integer sum of squares."""
    a, _ = quantize_rows(xp, x)
    i = xp.astype(a, xp.int32)
    squares = xp.sum(i * i, axis=-1, keepdims=True, dtype=xp.int32)
    mean = xp.astype(xp.maximum(squares, xp.ones_like(squares)), xp.float32) * per(x.shape[-1])
    return a, 1.0 / sqrt(xp, mean)


def gate(xp: ModuleType, x: Array) -> Array:
    """Algebraic sigmoid ½ + ½·x/√(1 + x²)."""
    return 0.5 + 0.5 * (x / sqrt(xp, 1.0 + x * x))


def shift(xp: ModuleType, x: Array, last: Array, mu: Array) -> tuple[Array, Array]:
    """Token shift, then norm: rows of μ·x + (1 − μ)·last. `last` becomes x."""
    mixed = mu * x + (1.0 - mu) * last
    last[...] = x
    return normalize_rows(xp, mixed)


def recur(xp: ModuleType, acc: Array, s: Array, r: Array, bias: Array, h: Array) -> tuple[Array, Array]:
    """minGRU: f = gate(·+bias), h ← f·h + (1 − f)·c; returns the quantised rows of h·swish(o)."""
    y = acc * s * r
    width = h.shape[-1]
    f = gate(xp, y[:, :width] + bias)
    h[...] = f * h + (1.0 - f) * y[:, width : 2 * width]
    o = y[:, 2 * width :]
    return quantize_rows(xp, h * (o * gate(xp, o)))


def squared_relu(xp: ModuleType, acc: Array, s: Array, r: Array) -> tuple[Array, Array]:
    """Quantised rows of max(y, 0)² (So et al. 2021)."""
    y = acc * s * r
    y = xp.maximum(y, xp.zeros_like(y))
    return quantize_rows(xp, y * y)


def add(xp: ModuleType, x: Array, acc: Array, s: Array, r: Array) -> None:
    """x ← x + y, in place."""
    x += acc * s * r


def exp2_weights(xp: ModuleType, logits: Array) -> Array:
    """Integers w = ⌊2^23 · e^(l − max l)⌋, at least 1, over the last axis of float32 logits in nats."""
    t = (xp.max(logits, axis=-1, keepdims=True) - logits) * LOG2_E
    t = xp.minimum(t, xp.asarray(30.0, dtype=t.dtype))
    integer_part = xp.floor(t)
    w = xp.astype(xp.round(_exp2_neg(t - integer_part) * 2.0**WEIGHT_BITS), xp.int32) >> xp.astype(
        integer_part, xp.int32
    )
    return xp.maximum(w, xp.ones_like(w))


def _exp2_neg(f: Array) -> Array:
    """2^−f for f in [0, 1)."""
    p = EXP2_NEG[5] * f + EXP2_NEG[4]
    for c in EXP2_NEG[3::-1]:
        p = p * f + c
    return p


def exp_neg(xp: ModuleType, x: Array) -> Array:
    """e^−x of float32 x ≥ 0, with a relative error below 4e-7; at least 2^−126."""
    t = xp.minimum(x * LOG2_E, xp.asarray(126.0, dtype=x.dtype))
    integer_part = xp.floor(t)
    # 2^−whole exactly: the exponent field of a float32
    power = (127 - xp.astype(integer_part, xp.int32)) << 23
    return _exp2_neg(t - integer_part) * power.view(xp.float32)


def softmax(xp: ModuleType, acc: Array, s: Array, r: Array, bias: Array) -> Array:
    """pmf [n, V] float32 from the integer weights of `exp2_weights` over their integer sum."""
    return over_sum(xp, exp2_weights(xp, acc * s * r + bias))


def over_sum(xp: ModuleType, w: Array) -> Array:
    """float32(w) / float32(Σ w) over the last axis of integers."""
    total = xp.sum(w, axis=-1, keepdims=True, dtype=xp.int64)
    return xp.astype(w, xp.float32) / xp.astype(total, xp.float32)
