"""NumPy's .npy: a header in Python's spelling, then an array of numbers in C order."""

import ast
import math
import re
import struct

import numpy as np

from .samples import Samples

_KIND = re.compile(r"[<>|][uif][1248]")


def find(data: memoryview, size: int) -> Samples | None:
    if len(data) < 12 or data[6] not in (1, 2, 3):
        return None
    long = data[6] > 1
    (header,) = struct.unpack_from("<I" if long else "<H", data, 8)
    begin = 12 if long else 10
    if begin + header > len(data) or header > 1 << 16:
        return None
    try:
        told = ast.literal_eval(bytes(data[begin : begin + header]).decode("latin-1").strip())
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(told, dict) or told.get("fortran_order") is not False:
        return None
    dtype, shape = told.get("descr"), told.get("shape")
    if not isinstance(dtype, str) or not _KIND.fullmatch(dtype) or not isinstance(shape, tuple):
        return None
    if not all(type(side) is int for side in shape):
        return None
    start = begin + header
    return Samples("array", start, start + math.prod(shape) * np.dtype(dtype).itemsize, shape, dtype)
