"""Tokens [N] as buffers. `as_array` converts them for numpy, `as_ids` for the core.

Small files are coded without numpy, so tokens are any buffer of int32, or of uint8 for a vocabulary of at most 256 symbols:
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
    """The tokens as int32 [N], without a copy if possible. An integer outside int32 becomes −1, which is no token."""
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
    """Number of tokens in a buffer or in a numpy block [n, steps]."""
    size = getattr(tokens, "size", None)
    return len(tokens) if size is None else int(size)


def as_ids(tokens: TokenBuffer) -> Any:
    """The tokens as a contiguous buffer of int32, for the core. Such a buffer is returned as it is."""
    kind = _kind(tokens)
    if kind == "i":
        return tokens
    if kind == "B":
        return array("i", list(bytes(tokens)))
    return np.ascontiguousarray(as_array(tokens))


def as_bytes(tokens: TokenBuffer) -> Any:
    """The tokens as a contiguous buffer of uint8 whose items are Python integers, so never a numpy array. Such a buffer is returned as it is.

    Raises ValueError if a token lies outside 0 … 255."""
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
    """The format of a contiguous one-dimensional buffer: "i", "B", or "" for all others."""
    try:
        view = memoryview(tokens)
    except (TypeError, ValueError):
        return ""
    return view.format if view.ndim == 1 and view.c_contiguous and view.format in ("i", "B") else ""
