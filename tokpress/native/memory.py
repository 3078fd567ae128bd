"""The memory around a prior that Python steps (core/memory.c). The twin is `priors.compose.memory_counts.Counts`."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import library

#: alphabets are not larger
MAX_SYMBOLS = 1 << 16
_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64


class Memory:
    """The counts of a frame of `tokens` tokens in so many lanes, of V symbols."""

    def __init__(self, orders: Sequence[int], lanes: int, tokens: int, symbols: int, using: str | None = None) -> None:
        """Raises MemoryError where there is none, or a number is out of bounds."""
        self.lanes, self.symbols, self._using = lanes, symbols, using
        self._free = library.function("memory_free", _POINTER, result=None, using=using)
        new = library.function("memory_new", _POINTER, *[_COUNT] * 4, result=_POINTER, using=using)
        self._handle = new((ctypes.c_int32 * len(orders))(*orders), len(orders), lanes, tokens, symbols)
        if not self._handle:
            raise MemoryError("the core found no memory")

    def __del__(self) -> None:
        if handle := getattr(self, "_handle", None):
            self._free(handle)

    def step(self, previous: Any, p0: Any) -> Any:
        """Learn the symbols [n] of the step before (None before the first), then mix: p_0 [n, V] → p_K [n, V], float32.

        Raises CoreError for symbols outside V, for more lanes than in the step before, and where the first step has symbols before it."""
        rows = len(p0)
        p0 = np.ascontiguousarray(p0, np.float32)
        if p0.shape != (rows, self.symbols) or (previous is not None and len(previous) != rows):
            raise ValueError(f"a pmf of {p0.shape} does not fit {self.symbols} symbols, or the symbols before it")
        given = None if previous is None else np.ascontiguousarray(previous, np.int32)
        out = np.empty_like(p0)
        run = library.function("memory_step", _POINTER, _POINTER, _COUNT, _POINTER, _POINTER, using=self._using)
        before = None if given is None else given.ctypes.data
        library.checked(run(self._handle, before, rows, p0.ctypes.data, out.ctypes.data))
        return out
