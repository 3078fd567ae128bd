"""The core's scan against torch's, a step at a time."""

import pytest

torch = pytest.importorskip("torch")

from tokpress.native import scan as core_scan  # noqa: E402
from tokpress.training.nets import scan  # noqa: E402


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 5), (2, 33, 64), (5, 2, 19)])
def test_both_directions_are_the_twins(core, shape):
    torch.manual_seed(shape[1])
    f, c, g = torch.rand(shape), torch.randn(shape), torch.randn(shape)
    h0 = torch.randn(shape[0], shape[2])
    h, gf, gc = (torch.empty(shape) for _ in range(3))
    core_scan.forward(f.numpy(), c.numpy(), h0.numpy(), h.numpy(), using=core)
    assert torch.equal(h, scan.scan_by_steps(f, c, h0))
    arrays = (x.numpy() for x in (f, c, h0, h, g, gf, gc))
    core_scan.backward(*arrays, using=core)
    want_f, want_c = scan.scan_backward_by_steps(f, c, h0, h, g)
    assert torch.equal(gf, want_f) and torch.equal(gc, want_c)
