"""Coders whose probabilities come from Python, row by row (core/rows_coder.c; the twins are in `coding.coders`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import np
from . import library
from .handle import COUNT, POINTER, Handle

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Coder(Handle):
    def __init__(self, using: str | None, *arguments: Any) -> None:
        types = (POINTER, COUNT)[: len(arguments)]
        self.hold(library.function(f"{self.kind}_new", *types, result=POINTER, using=using)(*arguments), using)

    def _code(self, name: str, symbols: NDArray[np.int32], pmf: NDArray[np.float32]) -> None:
        if pmf.dtype != np.float32 or pmf.ndim != 2 or not pmf.flags.c_contiguous:
            raise TypeError(f"a pmf must be C-contiguous float32 [n, V], not {pmf.dtype} {pmf.shape}")
        if symbols.shape != pmf.shape[:1]:
            raise ValueError(f"{len(symbols)} symbols under {len(pmf)} rows")
        run = library.function(name, *[POINTER] * 3, *[COUNT] * 2, using=self.using)
        result = run(self.pointer, symbols.ctypes.data, pmf.ctypes.data, *pmf.shape)
        if result == library.ARGUMENT:
            raise ValueError("a symbol outside the alphabet, or no probabilities that sum to 1")
        library.checked(result)


class RangeEncoder(_Coder):
    kind = "queue_encoder"

    def __init__(self, using: str | None = None) -> None:
        super().__init__(using)

    def push(self, symbols: NDArray[np.int32], pmf: NDArray[np.float32]) -> None:
        """symbols [n] under pmf [n, V]. Raises ValueError where a row is no distribution."""
        self._code("queue_encode", np.ascontiguousarray(symbols, np.int32), pmf)

    def finish(self) -> bytes:
        """The payload; nothing may be pushed after it."""
        run = library.function("queue_finish", POINTER, POINTER, COUNT, using=self.using)
        payload = bytearray(library.checked(run(self.pointer, None, 0)))
        if payload:
            library.checked(run(self.pointer, library.writable(payload)[0], len(payload)))
        return bytes(payload)


class RangeDecoder(_Coder):
    kind = "queue_decoder"

    def __init__(self, payload: bytes, using: str | None = None) -> None:
        super().__init__(using, *library.address(payload))

    def pop(self, pmf: NDArray[np.float32]) -> NDArray[np.int32]:
        """symbols [n] under pmf [n, V]. Raises ChecksumError where the damage shows."""
        symbols = np.empty(len(pmf), np.int32)
        self._code("queue_decode", symbols, pmf)
        return symbols


class Stack(_Coder):
    kind = "stack"

    def __init__(self, words: NDArray[np.uint32], using: str | None = None) -> None:
        """words: uint32, the bottom first."""
        super().__init__(using, words.ctypes.data, len(words))

    def push(self, symbols: NDArray[np.int32], pmf: NDArray[np.float32]) -> None:
        """symbols [n] under pmf [n, V]: popping gives them in the same order."""
        self._code("stack_push", np.ascontiguousarray(symbols, np.int32), pmf)

    def pop(self, pmf: NDArray[np.float32]) -> NDArray[np.int32]:
        symbols = np.empty(len(pmf), np.int32)
        self._code("stack_pop", symbols, pmf)
        return symbols

    def words(self) -> NDArray[np.uint32]:
        """All that it holds, uint32, the bottom first."""
        words = np.empty(self.count(), np.uint32)
        library.function("stack_words", POINTER, POINTER, using=self.using)(self.pointer, words.ctypes.data)
        return words

    def count(self) -> int:
        words: int = library.function("stack_count", POINTER, using=self.using)(self.pointer)
        return words
