"""The GPU kernels against the plain loop: on a GPU, or with TRITON_INTERPRET=1 without one."""

import os

import pytest
import torch

from tokpress.training.nets import scan

pytest.importorskip("triton", reason="triton comes with torch for GPUs")
interpreted = os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = pytest.mark.skipif(
    not (torch.cuda.is_available() or interpreted), reason="no GPU; TRITON_INTERPRET=1 does"
)


@pytest.mark.parametrize("shape", [(2, 70, 40), (1, 32, 32), (3, 5, 7), (2, 64, 33)])
def test_same_states_and_gradients_as_on_the_cpu(shape):
    from tokpress.training.nets import scan_triton

    torch.manual_seed(0)
    device = "cpu" if interpreted else "cuda"
    f, c, g = torch.rand(shape), torch.randn(shape), torch.randn(shape)
    h0 = torch.randn(shape[0], shape[2])
    h = scan.scan(f, c, h0)
    on_gpu = [x.to(device) for x in (f, c, h0)]
    there = scan_triton.forward(*on_gpu)
    torch.testing.assert_close(there.cpu(), h)
    there_back = scan_triton.backward(*on_gpu, there, g.to(device))
    for got, expected in zip(there_back, scan.scan_backward(f, c, h0, h, g)):
        torch.testing.assert_close(got.cpu(), expected, rtol=1e-4, atol=1e-5)
