"""The integer matrix product a · qᵀ, and which kernel computes it here.

a [n, K] holds −127 … 127, q [N, K] holds −64 … 63, so an integer sum has one right answer whatever the
order of summation. Three carriers give it:

    numpy   float32 BLAS, exact while K · 64 · 127 < 2^24, i.e. K ≤ 2064; longer rows are split
    int8    torch._int_mm into int32; seven-bit weights keep the pair sums of CPUs without VNNI from saturating
    float   torch float32, the same bound as numpy (also the choice on a GPU, with TF32 off)

A kernel is used only after it reproduced an int64 product on this machine (`self_test`).
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import TokpressError

SPLIT = 2064


class Kernel(ABC):
    """`product(a, prepare(q))` → float32 [n, N], the exact integer sums (rounded once if ≥ 2^24)."""

    name: str

    @abstractmethod
    def prepare(self, q: np.ndarray) -> Any: ...

    @abstractmethod
    def product(self, a: Any, prepared: Any) -> Any: ...


class NumpyKernel(Kernel):
    name = "numpy"

    def prepare(self, q: np.ndarray) -> list[np.ndarray]:
        columns = np.ascontiguousarray(q.T).astype(np.float32)
        return [columns[k : k + SPLIT] for k in range(0, len(columns), SPLIT)]

    def product(self, a: np.ndarray, prepared: list[np.ndarray]) -> np.ndarray:
        if len(prepared) == 1:
            return a @ prepared[0]
        total = np.zeros((a.shape[0], prepared[0].shape[1]), np.int32)
        for i, part in enumerate(prepared):
            total += (a[:, i * SPLIT : i * SPLIT + len(part)] @ part).astype(np.int32)
        return total.astype(np.float32)


class Int8Kernel(Kernel):
    """numpy in, numpy out; torch only multiplies. Compiled operations take the int32 sums as they are,
    numpy's need them as float32 (an int32 would make a float64 of every product)."""

    name = "int8"

    def __init__(self, convert: bool = True):
        import torch

        self.convert = convert
        # threads inside products this small spend their time at barriers (docs/exactness.md, "Threads")
        torch.set_num_threads(1)

    def prepare(self, q: np.ndarray) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(q.T))

    def product(self, a: np.ndarray, prepared: Any) -> np.ndarray:
        import torch

        acc = torch._int_mm(torch.from_numpy(a.astype(np.int8)), prepared).numpy()
        return acc.astype(np.float32) if self.convert else acc


class FloatKernel(Kernel):
    """torch tensors in, torch tensors out, on any device."""

    name = "float"

    def __init__(self, device: str = "cpu"):
        self.device = device

    def prepare(self, q: np.ndarray) -> Any:
        import torch

        if torch.cuda.is_available():
            torch.backends.cuda.matmul.allow_tf32 = False
        columns = torch.from_numpy(np.ascontiguousarray(q.T)).to(self.device).float()
        return list(columns.split(SPLIT))

    def product(self, a: Any, prepared: Any) -> Any:
        if len(prepared) == 1:
            return a @ prepared[0]
        pieces = [(x @ part).int() for x, part in zip(a.split(SPLIT, 1), prepared, strict=True)]
        return sum(pieces[1:], pieces[0]).float()


@lru_cache
def self_test(name: str) -> bool:
    """Does this kernel, on this machine, give the int64 product at every extreme?"""
    rng = np.random.default_rng(7)
    kernel = KERNELS[name]()
    for rows, inputs, outputs in ((1, 33, 17), (18, 512, 64), (40, 2100, 24)):
        a = rng.integers(-127, 128, (rows, inputs))
        q = rng.integers(-64, 64, (outputs, inputs))
        a[0], q[0] = 127, -64
        a[-1, ::2], q[-1, ::2] = -127, -64
        try:
            if name == "float":
                import torch

                got = kernel.product(torch.from_numpy(a.astype(np.float32)), kernel.prepare(q.astype(np.int8))).numpy()
            else:
                got = kernel.product(a.astype(np.float32), kernel.prepare(q.astype(np.int8)))
        except (ImportError, RuntimeError, AttributeError):
            return False
        if not np.array_equal(got, (a @ q.T).astype(np.float32)):
            return False
    return True


KERNELS: dict[str, type[Kernel]] = {"numpy": NumpyKernel, "int8": Int8Kernel, "float": FloatKernel}


def make_kernel(name: str, compiled: bool = False) -> Kernel:
    """The kernel of this name, for compiled operations or for numpy's. Raises TokpressError if it is not exact here."""
    if name not in KERNELS:
        raise TokpressError(f"no kernel is called {name!r}; there are: {', '.join(KERNELS)}")
    if not self_test(name):
        raise TokpressError(f"the {name} kernel is not exact on this machine; use --kernel numpy")
    return Int8Kernel(convert=False) if compiled and name == "int8" else KERNELS[name]()
