"""A test mode that lets through only the operations of the exactness rule (docs/exactness.md).

Run a prior on torch tensors inside `ExactOnly()`: every torch operation is checked by name and by dtype,
and one that is not on the list raises. Sums, matrix products and conversions are allowed under conditions.
"""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from .guard_numpy import InexactOperation

#: correctly rounded, or exact, whatever the order and the machine; also moves and views of memory
ALLOWED = frozenset(
    [
        "add",
        "add_",
        "sub",
        "sub_",
        "rsub",
        "mul",
        "mul_",
        "div",
        "reciprocal",
        "neg",
        "abs",
        "round",
        "floor",
        "minimum",
        "maximum",
        "amax",
        "max",
        "clamp_min",
        "where",
        "ge",
        "gt",
        "le",
        "lt",
        "eq",
        "ne",
        "bitwise_right_shift",
        "__rshift__",
        "bitwise_left_shift",
        "bitwise_and",
        "_to_copy",
        "to",
        "copy_",
        "clone",
        "detach",
        "view",
        "_unsafe_view",
        "reshape",
        "slice",
        "select",
        "t",
        "transpose",
        "permute",
        "expand",
        "alias",
        "unsqueeze",
        "squeeze",
        "cat",
        "stack",
        "split",
        "split_with_sizes",
        "index",
        "index_select",
        "embedding",
        "gather",
        "empty",
        "empty_like",
        "new_empty",
        "zeros",
        "zeros_like",
        "ones",
        "ones_like",
        "full",
        "full_like",
        "new_zeros",
        "scalar_tensor",
        "lift_fresh",
        "_local_scalar_dense",
        "sqrt",
        "sum",
        "mm",
        "_int_mm",
    ]
)


class ExactOnly(TorchDispatchMode):
    """
    >>> with ExactOnly():
    ...     torch.ones(3).softmax(0)
    Traceback (most recent call last):
    ...
    tokpress.exact.guard_numpy.InexactOperation: _softmax is not on the exactness rule's list
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        kwargs = kwargs or {}
        self.seen.add(name)
        if name not in ALLOWED:
            raise InexactOperation(f"{name} is not on the exactness rule's list")
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        floats = [t for t in tensors if t.is_floating_point()]
        if name == "sum" and floats:
            raise InexactOperation("a float sum depends on its order: sum integers")
        if name == "sqrt" and any(t.dtype != torch.float64 for t in floats):
            raise InexactOperation("torch's float32 root is not correctly rounded: take it in float64 (ops.sqrt)")
        if name in ("add", "sub", "add_", "sub_", "rsub") and kwargs.get("alpha", 1) != 1:
            raise InexactOperation("add with alpha is a fused multiply-add on some machines")
        if name == "div" and floats and kwargs.get("rounding_mode") is None:
            wrapped = [a for a in args if not isinstance(a, torch.Tensor) or a.ndim == 0]
            if wrapped:
                raise InexactOperation("division by a scalar becomes a reciprocal on some devices: multiply instead")
        if name == "mm":
            a, b = args[:2]
            for t in (a, b):
                if t.dtype != torch.float32 or not torch.equal(t, t.round()):
                    raise InexactOperation("a matrix product of values that are not integers in float32 carriers")
            if float(a.abs().sum(1).max() * b.abs().max()) >= 2**24:
                raise InexactOperation("a product of carriers whose sum may pass 2^24")
        return func(*args, **kwargs)
