"""The core's integer product against exact integer sums."""

import numpy as np
import pytest

from tokpress.native.product import Packed

SHAPES = [
    (1, 1, 1),
    (1, 33, 17),
    (2, 7, 64),
    (5, 8, 65),
    (7, 192, 576),
    (13, 384, 192),
    (50, 80, 33),
    (3, 2100, 24),
    (2, 9000, 5),
]


def product(a, q, core):
    out = np.empty((len(a), len(q)), np.float32)
    Packed(np.ascontiguousarray(q, np.int8), *q.shape, using=core).product(a.astype(np.float32), len(a), out)
    return out


@pytest.mark.parametrize("rows, inputs, outputs", SHAPES)
def test_random(core, rows, inputs, outputs):
    rng = np.random.default_rng(rows + inputs)
    a, q = rng.integers(-127, 128, (rows, inputs)), rng.integers(-64, 64, (outputs, inputs))
    assert np.array_equal(product(a, q, core), (a @ q.T).astype(np.float32))


@pytest.mark.parametrize("rows, inputs, outputs", SHAPES)
def test_activations_as_networks_have_them(core, rows, inputs, outputs):
    """Mostly small: many products are then added before they are widened, but for some that are too large."""
    rng = np.random.default_rng(rows)
    a = np.clip(np.rint(rng.standard_t(3, (rows, inputs)) * 30), -127, 127).astype(np.int64)
    q = rng.integers(-64, 64, (outputs, inputs))
    assert np.array_equal(product(a, q, core), (a @ q.T).astype(np.float32))


@pytest.mark.parametrize("a_value", [-127, 127, 64, 65, -65, 31, 32, -32, 33, 34])
@pytest.mark.parametrize("q_value", [-64, 63])
def test_extremes(core, a_value, q_value):
    """Whatever is largest, everywhere and at every place alone, on either side of what fits."""
    for inputs in (4, 8, 31, 512):
        a, q = np.full((3, inputs), a_value), np.full((9, inputs), q_value)
        a[1, ::2], a[2, 1::3] = -a_value, 0
        q[1::2, 1::2] = 63 if q_value < 0 else -64
        assert np.array_equal(product(a, q, core), (a @ q.T).astype(np.float32))


def test_refuses_eight_bits(core):
    with pytest.raises(ValueError, match=r"-64 \.\.\. 63"):
        Packed(np.full((2, 4), 64, np.int8), 2, 4, using=core)
    with pytest.raises(ValueError, match="are not"):
        Packed(np.zeros((2, 4), np.int8), 2, 5, using=core)


def test_refuses_other_shapes(core):
    packed = Packed(np.zeros((2, 4), np.int8), 2, 4, using=core)
    with pytest.raises(ValueError, match="do not fit"):
        packed.product(np.zeros((1, 5), np.float32), 1, np.zeros((1, 2), np.float32))
