"""The guard rejects what the exactness rule forbids, and the shipped kind of prior passes it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("array_api_compat.torch")

from tests.models import tiny_mingru  # noqa: E402
from tokpress.coding import Frame  # noqa: E402
from tokpress.exact.guard import ExactOnly, InexactOperation  # noqa: E402

X = torch.full((4, 4), 0.3)
FORBIDDEN = {
    "exp": lambda: X.exp(),
    "tanh": lambda: X.tanh(),
    "softmax": lambda: X.softmax(0),
    "mean": lambda: X.mean(),
    "float sum": lambda: X.sum(),
    "norm": lambda: X.norm(),
    "float32 root": lambda: X.sqrt(),
    "fused add": lambda: torch.add(X, X, alpha=2),
    "addcmul": lambda: torch.addcmul(X, X, X),
    "lerp": lambda: torch.lerp(X, X, 0.5),
    "rsqrt": lambda: X.rsqrt(),
    "division by a scalar": lambda: X / 3.0,
    "product of non-integers": lambda: X @ X,
    "product beyond 2^24": lambda: torch.full((4, 4), 4096.0) @ torch.full((4, 4), 4096.0),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden(name):
    with pytest.raises(InexactOperation), ExactOnly():
        FORBIDDEN[name]()


def test_mingru_steps_within_the_rule():
    prior = tiny_mingru()
    expected = [p.copy() for p in _steps(prior)]
    prior = prior.for_frame(Frame(12, 3, "float"))
    with ExactOnly() as guard:
        guarded = [p.copy() for p in _steps(prior)]
    assert {"mm", "sqrt", "sum"} <= guard.seen
    for a, b in zip(expected, guarded, strict=True):
        assert np.array_equal(a, b)


def _steps(prior):
    state, previous = prior.init(3, 12), None
    for t in range(4):
        yield prior.step(state, previous, 3)
        previous = np.array([t, t + 1, 2 * t], np.int32)
