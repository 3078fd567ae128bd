"""The memory of token counts for priors that Python steps (core/memory.c). The twin is `priors.compose.memory_counts.Counts`."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import library
from .handle import COUNT, POINTER, Handle

#: largest alphabet
MAX_SYMBOLS = 1 << 16


class Memory(Handle):
    """The counts of one frame: `tokens` tokens of V symbols in `lanes` lanes."""

    kind = "memory"

    def __init__(self, orders: Sequence[int], lanes: int, tokens: int, symbols: int, using: str | None = None) -> None:
        """Raises MemoryError if there is too little memory, or a number is out of bounds."""
        self.lanes, self.symbols = lanes, symbols
        self._is_learned = False  # the last step
        new = library.function("memory_new", POINTER, *[COUNT] * 4, result=POINTER, using=using)
        self.hold(new((ctypes.c_int32 * len(orders))(*orders), len(orders), lanes, tokens, symbols), using)

    def learn(self, symbols: Any) -> None:
        """Learn the symbols [n] of the last step. Raises CoreError for symbols outside V, for more lanes than in that step, and where
        there is no such step, or it is learned already."""
        symbols = np.ascontiguousarray(symbols, np.int32)
        self.call("learn", [POINTER, COUNT], symbols.ctypes.data, len(symbols))
        self._is_learned = True

    def step(self, previous: Any, p0: Any) -> Any:
        """Learn the symbols [n] of the step before (None before the first) unless they are learned, then mix: p_0 [n, V] → p_K [n, V],
        float32.

        Raises CoreError for symbols outside V, for more lanes than in the step before, and if the first step gets previous symbols."""
        rows = len(p0)
        p0 = np.ascontiguousarray(p0, np.float32)
        if p0.shape != (rows, self.symbols) or (previous is not None and len(previous) != rows):
            raise ValueError(f"a pmf of {p0.shape} does not fit {self.symbols} symbols, or the symbols before it")
        if previous is not None and not self._is_learned:
            self.learn(previous)
        out = np.empty_like(p0)
        self.call("step", [COUNT, POINTER, POINTER], rows, p0.ctypes.data, out.ctypes.data)
        self._is_learned = False
        return out
