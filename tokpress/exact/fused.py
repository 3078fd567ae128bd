"""The functions of `ops`, each as one compiled loop per row: the same float32 operations in the same
order, without a temporary array per operation. `tests/exact/test_fused.py` holds both bit for bit.

Compiled without fast-math but for the promise that no NaN occurs and that zeros have no sign, which lets
min and max become SIMD instructions and changes no rounding: neither reassociation nor fused multiply-add
is allowed.

Integers a go out as the bytes a + 128 that `gemm.product` takes. Rows are T steps of n lanes, step by step:
the row before row k in time is k − n, or the lane's state where k < n. Outputs are the arguments a and r.
"""

import numpy as np

from . import jit, ops
from .gemm import OFFSET

_jit = jit.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})

F = np.float32
ONE, HALF = F(1), F(0.5)
ACTIVATION_MAX, PER_ACTIVATION_MAX, TINY = F(ops.ACTIVATION_MAX), F(ops.PER_ACTIVATION_MAX), F(ops.TINY)
LOG2_E, SCALE = F(ops.LOG2_E), F(2.0**ops.WEIGHT_BITS)
C0, C1, C2, C3, C4, C5 = (F(c) for c in ops.EXP2_NEG)


@_jit
def _float(bits):
    return np.int32(bits).view(np.float32)


@_jit
def _quantize(x, a):
    """One row: fills a, returns max|x| and Σ a². Floats ≥ 0 are ordered as their bits are, and integer maxima vectorise."""
    bits, top = x.view(np.int32), np.int32(0)
    for k in range(x.shape[0]):
        top = max(top, bits[k] & np.int32(0x7FFFFFFF))
    peak = max(_float(top), TINY)
    by = (ONE / peak) * ACTIVATION_MAX
    squares = np.int32(0)
    for k in range(x.shape[0]):
        i = np.int32(np.rint(x[k] * by))
        a[k] = np.uint8(i + np.int32(OFFSET))
        squares += i * i
    return peak, squares


@_jit
def quantize_rows(x, a, r):
    for k in range(x.shape[0]):
        r[k] = _quantize(x[k], a[k])[0] * PER_ACTIVATION_MAX


@_jit
def _normalize(x, a, per):
    squares = _quantize(x, a)[1]
    return ONE / np.sqrt(F(max(squares, np.int32(1))) * per)


@_jit
def _gate(x):
    return HALF + HALF * (x / np.sqrt(ONE + x * x))


@_jit
def normalize_rows(x, per, a, r):
    for k in range(x.shape[0]):
        r[k] = _normalize(x[k], a[k], per)


@_jit
def shift(x, last, mu, per, a, r):
    rows, n = x.shape[0], last.shape[0]
    mixed = np.empty(x.shape[1], np.float32)
    for k in range(rows):
        before = last[k] if k < n else x[k - n]
        for c in range(x.shape[1]):
            mixed[c] = mu[c] * x[k, c] + (ONE - mu[c]) * before[c]
        r[k] = _normalize(mixed, a[k], per)
    for k in range(n):
        for c in range(x.shape[1]):
            last[k, c] = x[rows - n + k, c]


@_jit
def recur(acc, s, r, bias, h, a):
    n, width = h.shape
    u = np.empty(width, np.float32)
    for k in range(a.shape[0]):
        scale, state = r[k], h[k % n]
        for c in range(width):
            f = _gate(F(acc[k, c]) * s[c] * scale + bias[c])
            y = F(acc[k, width + c]) * s[width + c] * scale
            o = F(acc[k, 2 * width + c]) * s[2 * width + c] * scale
            state[c] = f * state[c] + (ONE - f) * y
            u[c] = state[c] * (o * _gate(o))
        r[k] = _quantize(u, a[k])[0] * PER_ACTIVATION_MAX


@_jit
def squared_relu(acc, s, r, a):
    u = np.empty(s.shape[0], np.float32)
    for k in range(a.shape[0]):
        for c in range(s.shape[0]):
            y = max(F(acc[k, c]) * s[c] * r[k], F(0))
            u[c] = y * y
        r[k] = _quantize(u, a[k])[0] * PER_ACTIVATION_MAX


@_jit
def add(x, acc, s, r):
    for k in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[k, c] = x[k, c] + F(acc[k, c]) * s[c] * r[k]


@_jit
def weigh(acc, s, scale, bias, row, weights):
    """One row of `ops.exp2_weights`: fills weights [V] int32, returns their sum; `row` [V] float32 is room to work in."""
    symbols = row.shape[0]
    bits, high = row.view(np.int32), np.int32(-(2**31))
    for v in range(symbols):
        row[v] = F(acc[v]) * s[v] * scale + bias[v]
    for v in range(symbols):  # below zero the bits run backwards: turn them round
        high = max(high, bits[v] ^ ((bits[v] >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    top = _float(high ^ ((high >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    total = np.int64(0)
    for v in range(symbols):
        t = min((top - row[v]) * LOG2_E, F(30))
        whole = np.floor(t)
        f = t - whole
        p = ((((C5 * f + C4) * f + C3) * f + C2) * f + C1) * f + C0
        w = max(np.int32(np.rint(p * SCALE)) >> np.int32(whole), np.int32(1))
        weights[v] = w
        total += w
    return total


@_jit
def softmax(acc, s, r, bias, pmf):
    weights = np.empty(pmf.shape[1], np.int32)
    for n in range(pmf.shape[0]):
        row = pmf[n]
        divisor = F(weigh(acc[n], s, r[n], bias, row, weights))
        for v in range(pmf.shape[1]):
            row[v] = F(weights[v]) / divisor
