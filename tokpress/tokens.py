"""Tokens [N] as buffers. Whoever computes with them by numpy asks for `as_array`, whoever hands them to the core for `as_ids`.

A small file is coded without numpy, so tokens are any buffer of int32, or of uint8 where the vocabulary has at most 256 symbols:
`array("i")`, `array("B")`, `bytes`, `memoryview`, a numpy array.

>>> as_array(array("B", [65, 66]))
array([65, 66], dtype=int32)
>>> as_ids(b"AB")
array('i', [65, 66])
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from .lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tokens = NDArray[np.int32]  # [N], values in 0 … V−1
    TokenBuffer = NDArray[np.int32] | array[int] | bytes | bytearray | memoryview
else:
    Tokens = TokenBuffer = Any


def as_array(tokens: TokenBuffer) -> Tokens:
    """[N] int32, a view where that can be. An integer outside int32 becomes −1, which is no token either."""
    if isinstance(tokens, np.ndarray) and tokens.dtype == np.int32:
        return tokens
    values = np.asarray(memoryview(tokens) if isinstance(tokens, bytes) else tokens)
    if values.dtype == np.int32:
        return values
    if not values.size:
        return np.zeros(0, np.int32)
    if values.dtype.kind not in "iu":
        raise TypeError(f"tokens are integers, not {values.dtype}")
    if values.itemsize >= 4:
        values = np.where((values < 0) | (values > np.iinfo(np.int32).max), -1, values)
    return values.astype(np.int32)


def count(tokens: Any) -> int:
    """How many they are; of a numpy block [n, steps] too."""
    size = getattr(tokens, "size", None)
    return len(tokens) if size is None else int(size)


def as_ids(tokens: TokenBuffer) -> Any:
    """A contiguous buffer of int32, for the core: the tokens themselves where they are one."""
    kind = _kind(tokens)
    if kind == "i":
        return tokens
    if kind == "B":
        return array("i", list(bytes(tokens)))
    return np.ascontiguousarray(as_array(tokens))


def as_bytes(tokens: TokenBuffer) -> Any:
    """A contiguous buffer of uint8, whose items are Python's integers: the tokens themselves where they are one, and not numpy's.

    Raises ValueError where one lies outside 0 … 255."""
    if isinstance(tokens, bytes | bytearray | memoryview | array):
        kind = _kind(tokens)
        if kind == "B":
            return tokens
        if kind == "i" and isinstance(tokens, array):
            return bytes(tokens.tolist())
    values = as_array(tokens)
    if values.size and (int(values.min()) < 0 or int(values.max()) > 255):
        raise ValueError("a token lies outside 0 … 255")
    return values.astype(np.uint8).tobytes()


def _kind(tokens: Any) -> str:
    """The format of a contiguous buffer of one dimension; "" where it is none."""
    try:
        view = memoryview(tokens)
    except (TypeError, ValueError):
        return ""
    return view.format if view.ndim == 1 and view.c_contiguous and view.format in ("i", "B") else ""
