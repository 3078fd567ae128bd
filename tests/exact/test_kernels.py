"""The integer product: every kernel exact at every extreme, or refused."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.errors import TokpressError
from tokpress.exact import gemm, kernels


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_kernels_pass_their_self_test_here(name):
    if name != "numpy":
        pytest.importorskip("torch")
    assert kernels.self_test(name)


@pytest.mark.parametrize("inputs", [1, 7, 512, 2064, 2065, 5000])
def test_worst_case_sums_are_exact(inputs):
    kernel = kernels.NumpyKernel()
    a = np.full((3, inputs), 127, np.float32)
    q = np.full((2, inputs), -64, np.int8)
    assert (kernel.product(a, kernel.prepare(q)) == np.float32(-64 * 127 * inputs)).all()


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 2**32), st.data())
def test_a_product_within_is_part_of_the_product(outputs, inputs, seed, data):
    start = data.draw(st.integers(0, outputs - 1))
    stop = data.draw(st.integers(start + 1, outputs))
    rng = np.random.default_rng(seed)
    a, q = rng.integers(-127, 128, (1, 4 * inputs)), rng.integers(-64, 64, (outputs, 4 * inputs))
    packed, first = gemm.pack(q.astype(np.int8))
    out = np.zeros((1, stop - start + packed.shape[2]), np.int32)
    at = gemm.product_within((a + gemm.OFFSET).astype(np.uint8), packed, first, start, stop, out)
    assert np.array_equal(out[0, at : at + stop - start], (a @ q.T)[0, start:stop])


def test_an_inexact_kernel_is_refused(monkeypatch):
    class Wrong(kernels.NumpyKernel):
        def product(self, a, prepared):
            return super().product(a, prepared) + np.float32(1)

    monkeypatch.setitem(kernels.KERNELS, "wrong", Wrong)
    assert not kernels.self_test("wrong")
    with pytest.raises(TokpressError, match="not exact"):
        kernels.make_kernel("wrong")


def test_unknown_kernel():
    with pytest.raises(TokpressError, match="no kernel"):
        kernels.make_kernel("abacus")


def test_the_float_kernel_goes_where_there_is_a_gpu(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert kernels.FloatKernel().device == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert kernels.FloatKernel().device == "cuda" and kernels.FloatKernel("cpu").device == "cpu"


def test_without_torch_its_kernels_are_not_exact(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("float", "int8"):
        assert not kernels.self_test.__wrapped__(name)
