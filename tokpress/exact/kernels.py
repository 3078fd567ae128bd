"""The integer matrix product a · qᵀ, and the choice of the kernel that computes it.

a [n, K] holds −127 … 127, q [N, K] holds −64 … 63, so the integer sum has one right answer in any
order of summation. Four kernels give it:

    numpy     float32 BLAS, exact while K · 64 · 127 < 2^24, i.e. K ≤ 2064; longer rows are split
    native    int8 into int32 by the processor's own instructions, in the core (core/product.h)
    int8      torch._int_mm into int32; seven-bit weights keep the pair sums of CPUs without VNNI from saturating
    float     torch float32, the same bound as numpy (also the choice on a GPU, with TF32 off)

A kernel is used only after it reproduced an int64 product on this machine (`self_test`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import TokpressError
from ..lazy import np
from ..native import library
from ..native.library import CoreError
from ..native.product import Packed

if TYPE_CHECKING:
    from .arrays import Floats, Integers

SPLIT = 2064
#: the arrays of a kernel: numpy's, or torch's
Values = TypeVar("Values")
#: weights in the layout that a kernel multiplies with
Prepared = TypeVar("Prepared")


class Kernel(ABC, Generic[Values, Prepared]):
    """`product(a, prepare(q))` → float32 [n, N], the exact integer sums (rounded once if ≥ 2^24)."""

    name: str

    @abstractmethod
    def prepare(self, q: Integers) -> Prepared: ...

    @abstractmethod
    def product(self, a: Values, prepared: Prepared) -> Values: ...


class NumpyKernel(Kernel["Floats", "list[Floats]"]):
    name = "numpy"

    def prepare(self, q: Integers) -> list[Floats]:
        columns = np.ascontiguousarray(q.T).astype(np.float32)
        return [columns[k : k + SPLIT] for k in range(0, len(columns), SPLIT)]

    def product(self, a: Floats, prepared: list[Floats]) -> Floats:
        if len(prepared) == 1:
            return a @ prepared[0]
        total = np.zeros((a.shape[0], prepared[0].shape[1]), np.int32)
        for i, part in enumerate(prepared):
            total += (a[:, i * SPLIT : i * SPLIT + len(part)] @ part).astype(np.int32)
        return total.astype(np.float32)


class NativeKernel(Kernel["Floats", Packed]):
    """The core's product."""

    name = "native"

    def prepare(self, q: Integers) -> Packed:
        return Packed(np.ascontiguousarray(q), *q.shape)

    def product(self, a: Floats, prepared: Packed) -> Floats:
        out = np.empty((len(a), prepared.outputs), np.float32)
        if len(a):
            prepared.product(np.ascontiguousarray(a, np.float32), len(a), out)
        return out


class Int8Kernel(Kernel["Floats", Any]):
    """numpy in, numpy out; torch only multiplies."""

    name = "int8"

    def prepare(self, q: Integers) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(q.T))

    def product(self, a: Floats, prepared: Any) -> Floats:
        import torch

        return torch._int_mm(torch.from_numpy(a.astype(np.int8)), prepared).numpy().astype(np.float32)


class FloatKernel(Kernel[Any, Any]):
    """torch tensors in, torch tensors out, on any device."""

    name = "float"

    def __init__(self, device: str = "") -> None:
        """device: where tensors go; without it the GPU where there is one."""
        import torch

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")

    def prepare(self, q: Integers) -> Any:
        import torch

        if torch.cuda.is_available():
            torch.backends.cuda.matmul.allow_tf32 = False
        columns = torch.from_numpy(np.ascontiguousarray(q.T)).to(self.device).float()
        return list(torch.split(columns, SPLIT))

    def product(self, a: Any, prepared: Any) -> Any:
        if len(prepared) == 1:
            return a @ prepared[0]
        pieces = [(x @ part).int() for x, part in zip(a.split(SPLIT, 1), prepared, strict=True)]
        return sum(pieces[1:], pieces[0]).float()


@lru_cache
def self_test(name: str) -> bool:
    """Does this kernel, on this machine, give the int64 product at every extreme?"""
    try:
        kernel = KERNELS[name]()
    except ImportError:
        return False
    for rows, inputs, outputs in ((1, 33, 17), (18, 512, 64), (5, 2100, 24)):
        # scattered, but not numpy.random: a short command would spend a tenth of its time importing it
        a = np.arange(rows * inputs).reshape(rows, inputs) * 7919 % 255 - 127
        q = np.arange(outputs * inputs).reshape(outputs, inputs) * 6271 % 128 - 64
        a[0], q[0] = 127, -64
        a[-1, ::2], q[-1, ::2] = -127, -64
        try:
            if name == "float":
                import torch

                on_device = torch.from_numpy(a.astype(np.float32)).to(getattr(kernel, "device", "cpu"))
                got = kernel.product(on_device, kernel.prepare(q.astype(np.int8))).cpu().numpy()
            else:
                got = kernel.product(a.astype(np.float32), kernel.prepare(q.astype(np.int8)))
        except (ImportError, RuntimeError, AttributeError, CoreError):
            return False
        if not np.array_equal(got, (a @ q.T).astype(np.float32)):
            return False
    return True


KERNELS: dict[str, type[Kernel[Any, Any]]] = {k.name: k for k in (NumpyKernel, NativeKernel, Int8Kernel, FloatKernel)}


def make_kernel(name: str) -> Kernel[Any, Any]:
    """The kernel of this name. Raises TokpressError if it is not exact here."""
    if name not in KERNELS:
        raise TokpressError(f"no kernel is called {name!r}; there are: {', '.join(KERNELS)}")
    from importlib.util import find_spec  # slow to import

    if name in ("int8", "float") and find_spec("torch") is None:
        raise TokpressError(f"the {name} kernel needs torch: pip install 'tokpress[torch]', or use --kernel numpy")
    if name == "native" and not library.is_here():
        raise TokpressError("the core is not here, or TOKPRESS_CORE=twin forbids it; use --kernel numpy")
    if not self_test(name):
        raise TokpressError(f"the {name} kernel is not exact on this machine; use --kernel numpy")
    return KERNELS[name]()
