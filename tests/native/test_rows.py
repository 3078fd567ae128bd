"""The core's row operations against `exact.ops`, bit for bit."""

import numpy as np
import pytest

from tokpress.exact import ops
from tokpress.native import rows

WIDTHS = [1, 3, 16, 31, 32, 33, 100, 192]


def same(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape
        assert np.array_equal(one.view(np.int32), (other + np.float32(0)).view(np.int32))  # −0 is 0


def floats(seed, *shape):
    """Of every size, zeros among them, halves between integers, and rows that are all 0 or tiny."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * 2.0 ** rng.integers(-20, 20, shape)).astype(np.float32)
    x[rng.random(shape) < 0.2] = 0
    x[0] = 0
    if len(x) > 3:
        x[1] = np.rint(x[1]) / 2
        x[2] *= np.float32(2.0**-120)
        x[3, -1] = np.float32(127)
        x[3, :-1] = np.arange(shape[1] - 1) % 127 + 0.5
    return x


def sums(seed, *shape):
    return np.random.default_rng(seed).integers(-(1 << 21), 1 << 21, shape).astype(np.float32)


def scales(seed, *shape):
    return (np.random.default_rng(seed).random(shape) * 1e-4).astype(np.float32)


@pytest.mark.parametrize("width", WIDTHS)
def test_quantize_and_normalize(core, width):
    x = floats(width, 9, width)
    same(rows.quantize_rows(x, using=core), ops.quantize_rows(np, x))
    same(rows.normalize_rows(x, using=core), ops.normalize_rows(np, x))


@pytest.mark.parametrize("width", WIDTHS)
def test_shift(core, width):
    x, last, mu = floats(1, 5, width), floats(2, 5, width), np.random.default_rng(3).random(width, np.float32)
    kept = last.copy()
    same(rows.shift(x, last, mu, using=core), ops.shift(np, x, kept, mu))
    assert np.array_equal(last, kept)


@pytest.mark.parametrize("width", WIDTHS)
def test_recur(core, width):
    acc, s, r, bias = sums(1, 6, 3 * width), scales(2, 3 * width), scales(3, 6, 1) * 100, floats(4, 1, width)[0]
    h = floats(5, 6, width)
    kept = h.copy()
    same(rows.recur(acc, s, r, bias, h, using=core), ops.recur(np, acc, s, r, bias, kept))
    same([h], [kept])


@pytest.mark.parametrize("width", WIDTHS)
def test_squared_relu_and_add(core, width):
    acc, s, r, x = sums(1, 6, width), scales(2, width), scales(3, 6, 1) * 100, floats(4, 6, width)
    same(rows.squared_relu(acc, s, r, using=core), ops.squared_relu(np, acc, s, r))
    kept = x.copy()
    rows.add(x, acc, s, r, using=core)
    ops.add(np, kept, acc, s, r)
    same([x], [kept])


@pytest.mark.parametrize("width", [*WIDTHS, 8192])
def test_exp2_weights(core, width):
    logits = np.random.default_rng(width).standard_normal((5, width)).astype(np.float32) * 8
    logits[1] = 0
    logits[2] *= 1000
    logits[3] = np.linspace(-25, 0, width, dtype=np.float32)
    weights, total = rows.exp2_weights(logits, using=core)
    wanted = ops.exp2_weights(np, logits)
    assert np.array_equal(weights, wanted)
    assert np.array_equal(total[:, 0], wanted.sum(1, dtype=np.int64))


def test_refuses_other_shapes(core):
    x = np.zeros((2, 4), np.float32)
    with pytest.raises(ValueError, match="same shape"):
        rows.shift(x, x[:1], x[0], using=core)
    with pytest.raises(TypeError, match="float32"):
        rows.quantize_rows(x.astype(np.float64), using=core)
