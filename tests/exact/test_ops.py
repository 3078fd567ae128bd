"""The exact operations: right, the same in numpy, torch and the core, and held to the rule's list."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.exact import ops
from tokpress.native import library, rows

torch = pytest.importorskip("torch")
xpt = pytest.importorskip("array_api_compat.torch")


def case(seed: int, rows: int, width: int = 96) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    f = np.float32
    scale = f(10.0 ** rng.integers(-6, 4))
    return {
        "x": (rng.standard_normal((rows, width)) * scale).astype(f),
        "last": (rng.standard_normal((rows, width)) * scale).astype(f),
        "mu": rng.random(width).astype(f),
        "h": rng.standard_normal((rows, width)).astype(f),
        "acc": rng.integers(-40000, 40000, (rows, 3 * width)).astype(f),
        "s": (rng.random(3 * width) * 0.01).astype(f),
        "r": rng.random((rows, 1)).astype(f),
        "bias": rng.standard_normal(3 * width).astype(f),
    }


class Core:
    """`native.rows` behind the signatures of `ops`."""

    def __getattr__(self, name: str):
        return lambda xp, *arguments: getattr(rows, name)(*arguments)


#: function → its arguments by name; `w` means the first third of the columns
CALLS = {
    "quantize_rows": ["x"],
    "normalize_rows": ["x"],
    "shift": ["x", "last", "mu"],
    "recur": ["acc", "s", "r", "mu", "h"],
    "squared_relu": ["acc", "s", "r"],
    "add": ["x", "acc w", "s w", "r"],
    "softmax": ["acc", "s", "r", "bias"],
}


def run(module, xp, name: str, data: dict, convert) -> list[np.ndarray]:
    """Results, then the arguments as they stand afterwards (some are updated in place)."""
    width = data["x"].shape[1]
    arrays = []
    for argument in CALLS[name]:
        value = data[argument.split()[0]]
        value = value[..., :width] if argument.endswith(" w") else value
        arrays.append(convert(value.copy()))
    out = getattr(module, name)(xp, *arrays)
    out = [] if out is None else list(out) if isinstance(out, tuple) else [out]
    return [np.asarray(v) for v in out + arrays]


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_numpy_torch_and_the_core_agree_bit_for_bit(name, seed, count):
    data = case(seed, count)
    expected = run(ops, np, name, data, lambda v: v)
    others = [run(ops, xpt, name, data, torch.from_numpy)]
    if library.is_here() and hasattr(rows, name):
        others.append(run(Core(), np, name, data, lambda v: v))
    for other in others:
        for a, b in zip(expected, other, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("name", CALLS)
def test_a_row_does_not_depend_on_its_neighbours(name):
    data = case(3, 17)
    whole = run(ops, np, name, data, lambda v: v)
    first = run(ops, np, name, {k: v[:1] if v.ndim == 2 else v for k, v in data.items()}, lambda v: v)
    for a, b in zip(whole, first, strict=True):
        assert np.array_equal(a[:1] if a.ndim == 2 else a, b)


def test_zero_rows_quantise_to_zero():
    a, r = ops.normalize_rows(np, np.zeros((2, 8), np.float32))
    assert not a.any()
    assert np.isfinite(r).all()


def test_softmax_is_the_softmax():
    data = case(1, 9)
    data["r"] *= np.float32(0.02)  # beyond 16 nats below the largest the weight stays at its floor
    logits = (data["acc"] * data["s"] * data["r"] + data["bias"]).astype(np.float64)
    expected = np.exp(logits - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    pmf = ops.softmax(np, data["acc"], data["s"], data["r"], data["bias"])
    assert pmf.dtype == np.float32
    assert np.abs(pmf - expected).max() < 1e-6 + 288 * 2.0**-24
    assert np.abs(pmf.sum(1, dtype=np.float64) - 1).max() < 1e-5
    assert pmf.min() > 0


def test_exp2_polynomial_error_is_what_the_comment_says():
    f = np.linspace(0, 1, 100_001, endpoint=False).astype(np.float32)
    p = ops.EXP2_NEG[5] * f + ops.EXP2_NEG[4]
    for c in ops.EXP2_NEG[3::-1]:
        p = p * f + c
    assert np.abs(p / 2.0 ** -f.astype(np.float64) - 1).max() < 4e-7


def test_constants_are_float32_values():
    for c in (*ops.EXP2_NEG, ops.LOG2_E, ops.PER_ACTIVATION_MAX, ops.TINY):
        assert float(np.float32(c)) == c
