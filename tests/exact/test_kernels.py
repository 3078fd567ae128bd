"""The integer product: every kernel exact at every extreme, or refused."""

import sys

import numpy as np
import pytest

from tokpress.errors import TokpressError
from tokpress.exact import kernels
from tokpress.native import library


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_kernels_pass_their_self_test_here(name):
    if name in ("int8", "float"):
        pytest.importorskip("torch")
    if name == "native" and not library.is_here():
        pytest.skip("the core is not here")
    assert kernels.self_test(name)


@pytest.mark.parametrize("inputs", [1, 7, 512, 2064, 2065, 5000])
def test_worst_case_sums_are_exact(inputs):
    kernel = kernels.NumpyKernel()
    a = np.full((3, inputs), 127, np.float32)
    q = np.full((2, inputs), -64, np.int8)
    assert (kernel.product(a, kernel.prepare(q)) == np.float32(-64 * 127 * inputs)).all()


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
