"""Coders whose probabilities come from Python, row by row (core/rows_coder.c; the twins are in `coding.coders`)."""

from __future__ import annotations

import ctypes
from typing import Any

from ..lazy import np
from . import library

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64


class _Handle:
    """Something that the core holds, freed with this object."""

    _of = ""

    def __init__(self, using: str | None, *arguments: Any) -> None:
        kinds = (_POINTER, _COUNT)[: len(arguments)]
        self._using = using
        self._free = library.function(f"{self._of}_free", _POINTER, result=None, using=using)
        self._handle = library.function(f"{self._of}_new", *kinds, result=_POINTER, using=using)(*arguments)
        if not self._handle:
            raise MemoryError("the core found no memory")

    def __del__(self) -> None:
        if handle := getattr(self, "_handle", None):
            self._free(handle)

    def _code(self, name: str, symbols: np.ndarray, pmf: np.ndarray) -> None:
        if pmf.dtype != np.float32 or pmf.ndim != 2 or not pmf.flags.c_contiguous:
            raise TypeError(f"a pmf must be C-contiguous float32 [n, V], not {pmf.dtype} {pmf.shape}")
        if symbols.shape != pmf.shape[:1]:
            raise ValueError(f"{len(symbols)} symbols under {len(pmf)} rows")
        run = library.function(name, *[_POINTER] * 3, *[_COUNT] * 2, using=self._using)
        result = run(self._handle, symbols.ctypes.data, pmf.ctypes.data, *pmf.shape)
        if result == library.ARGUMENT:
            raise ValueError("a symbol outside the alphabet, or no probabilities that sum to 1")
        library.checked(result)


class RangeEncoder(_Handle):
    _of = "queue_encoder"

    def __init__(self, using: str | None = None) -> None:
        super().__init__(using)

    def push(self, symbols: np.ndarray, pmf: np.ndarray) -> None:
        """symbols [n] under pmf [n, V]. Raises ValueError where a row is no distribution."""
        self._code("queue_encode", np.ascontiguousarray(symbols, np.int32), pmf)

    def finish(self) -> bytes:
        """The payload; nothing may be pushed after it."""
        run = library.function("queue_finish", _POINTER, _POINTER, _COUNT, using=self._using)
        payload = bytearray(library.checked(run(self._handle, None, 0)))
        if payload:
            library.checked(run(self._handle, library.writable(payload)[0], len(payload)))
        return bytes(payload)


class RangeDecoder(_Handle):
    _of = "queue_decoder"

    def __init__(self, payload: bytes, using: str | None = None) -> None:
        super().__init__(using, *library.address(payload))

    def pop(self, pmf: np.ndarray) -> np.ndarray:
        """symbols [n] under pmf [n, V]. Raises ChecksumError where the damage shows."""
        symbols = np.empty(len(pmf), np.int32)
        self._code("queue_decode", symbols, pmf)
        return symbols


class Stack(_Handle):
    _of = "stack"

    def __init__(self, words: np.ndarray, using: str | None = None) -> None:
        """words: uint32, the bottom first."""
        super().__init__(using, words.ctypes.data, len(words))

    def push(self, symbols: np.ndarray, pmf: np.ndarray) -> None:
        """symbols [n] under pmf [n, V]: popping gives them in the same order."""
        self._code("stack_push", np.ascontiguousarray(symbols, np.int32), pmf)

    def pop(self, pmf: np.ndarray) -> np.ndarray:
        symbols = np.empty(len(pmf), np.int32)
        self._code("stack_pop", symbols, pmf)
        return symbols

    def words(self) -> np.ndarray:
        """All that it holds, uint32, the bottom first."""
        words = np.empty(self.count(), np.uint32)
        library.function("stack_words", _POINTER, _POINTER, using=self._using)(self._handle, words.ctypes.data)
        return words

    def count(self) -> int:
        return library.function("stack_count", _POINTER, using=self._using)(self._handle)
