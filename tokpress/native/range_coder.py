"""The range coder for given intervals (core/range_coder.c). `coding.coders.range_coder` is the twin."""

import ctypes
from collections.abc import Sequence

from . import library
from .handle import COUNT, POINTER


def encode(left: Sequence[int], right: Sequence[int], using: str | None = None) -> bytes:
    """The payload of symbols with intervals [left, right) of 2^24. Raises CoreError if an interval is empty or out of bounds."""
    n = len(left)
    code = library.function("range_encode", POINTER, POINTER, COUNT, POINTER, COUNT, using=using)
    words, payload = ctypes.c_uint32 * n, (ctypes.c_char * (4 * n + 8))()
    size = library.checked(code(words(*left), words(*right), n, payload, len(payload)))
    return payload.raw[:size]


def decode(payload: bytes, right: Sequence[int], n: int, using: str | None = None) -> list[int]:
    """n symbols under one table of right edges. Raises ChecksumError if the payload is too short, or no encoder writes it."""
    pop = library.function("range_decode", POINTER, COUNT, POINTER, COUNT, POINTER, COUNT, using=using)
    out = (ctypes.c_int32 * n)()
    library.checked(pop(payload, len(payload), (ctypes.c_uint32 * len(right))(*right), len(right), out, n))
    return list(out)
