"""The functions of `ops`, each as one compiled loop per row: the same float32 operations in the same
order, without a temporary array per operation. `tests/exact/test_fused.py` holds both bit for bit.

Compiled without fast-math but for the promise that no NaN occurs and that zeros have no sign, which lets
min and max become SIMD instructions and changes no rounding: neither reassociation nor fused multiply-add
is allowed.
`xp` is ignored; it keeps the signatures of `ops`.
"""

import numba
import numpy as np

from . import ops

_jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})

F = np.float32
ONE, HALF = F(1), F(0.5)
ACTIVATION_MAX, PER_ACTIVATION_MAX, TINY = F(ops.ACTIVATION_MAX), F(ops.PER_ACTIVATION_MAX), F(ops.TINY)
LOG2_E, SCALE = F(ops.LOG2_E), F(2.0**ops.WEIGHT_BITS)
C0, C1, C2, C3, C4, C5 = (F(c) for c in ops.EXP2_NEG)


@_jit
def _float(bits):
    one = np.empty(1, np.int32)
    one[0] = bits
    return one.view(np.float32)[0]


@_jit
def _quantize(x, a):
    """One row: fills a, returns max|x|. Floats ≥ 0 are ordered as their bits are, and integer maxima vectorise."""
    bits, top = x.view(np.int32), np.int32(0)
    for k in range(x.shape[0]):
        top = max(top, bits[k] & np.int32(0x7FFFFFFF))
    peak = max(_float(top), TINY)
    by = (ONE / peak) * ACTIVATION_MAX
    for k in range(x.shape[0]):
        a[k] = np.rint(x[k] * by)
    return peak


@_jit
def _normalize(x, a, per):
    _quantize(x, a)
    squares = np.int32(0)
    for k in range(x.shape[0]):
        i = np.int32(a[k])
        squares += i * i
    return ONE / np.sqrt(F(max(squares, np.int32(1))) * per)


@_jit
def _gate(x):
    return HALF + HALF * (x / np.sqrt(ONE + x * x))


@_jit
def _normalize_rows(x, per):
    a, r = np.empty_like(x), np.empty((x.shape[0], 1), np.float32)
    for n in range(x.shape[0]):
        r[n, 0] = _normalize(x[n], a[n], per)
    return a, r


@_jit
def _shift(x, last, mu, per):
    a, r = np.empty_like(x), np.empty((x.shape[0], 1), np.float32)
    mixed = np.empty(x.shape[1], np.float32)
    for n in range(x.shape[0]):
        for k in range(x.shape[1]):
            mixed[k] = mu[k] * x[n, k] + (ONE - mu[k]) * last[n, k]
            last[n, k] = x[n, k]
        r[n, 0] = _normalize(mixed, a[n], per)
    return a, r


@_jit
def _recur(acc, s, r, bias, h):
    rows, width = h.shape
    a, out = np.empty((rows, width), np.float32), np.empty((rows, 1), np.float32)
    u = np.empty(width, np.float32)
    for n in range(rows):
        scale = r[n, 0]
        for k in range(width):
            f = _gate(F(acc[n, k]) * s[k] * scale + bias[k])
            c = F(acc[n, width + k]) * s[width + k] * scale
            o = F(acc[n, 2 * width + k]) * s[2 * width + k] * scale
            h[n, k] = f * h[n, k] + (ONE - f) * c
            u[k] = h[n, k] * (o * _gate(o))
        out[n, 0] = _quantize(u, a[n]) * PER_ACTIVATION_MAX
    return a, out


@_jit
def _squared_relu(acc, s, r):
    a, out = np.empty(acc.shape, np.float32), np.empty((acc.shape[0], 1), np.float32)
    u = np.empty(acc.shape[1], np.float32)
    for n in range(acc.shape[0]):
        for k in range(acc.shape[1]):
            y = max(F(acc[n, k]) * s[k] * r[n, 0], F(0))
            u[k] = y * y
        out[n, 0] = _quantize(u, a[n]) * PER_ACTIVATION_MAX
    return a, out


@_jit
def _add(x, acc, s, r):
    for n in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[n, k] = x[n, k] + F(acc[n, k]) * s[k] * r[n, 0]


@_jit
def _softmax(acc, s, r, bias):
    rows, symbols = acc.shape
    pmf = np.empty((rows, symbols), np.float32)
    weights = np.empty(symbols, np.int32)
    for n in range(rows):
        row, scale = pmf[n], r[n, 0]
        bits, high = row.view(np.int32), np.int32(-(2**31))
        for v in range(symbols):
            row[v] = F(acc[n, v]) * s[v] * scale + bias[v]
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
        divisor = F(total)
        for v in range(symbols):
            row[v] = F(weights[v]) / divisor
    return pmf


def normalize_rows(xp, x):
    return _normalize_rows(x, F(ops.per(x.shape[-1])))


def shift(xp, x, last, mu):
    return _shift(x, last, mu, F(ops.per(x.shape[-1])))


def recur(xp, acc, s, r, bias, h):
    return _recur(acc, s, r, bias, h)


def squared_relu(xp, acc, s, r):
    return _squared_relu(acc, s, r)


def add(xp, x, acc, s, r):
    _add(x, acc, s, r)


def softmax(xp, acc, s, r, bias):
    return _softmax(acc, s, r, bias)
