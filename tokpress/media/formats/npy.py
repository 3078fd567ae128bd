"""NumPy's .npy: a header in Python's spelling, then an array of numbers in C order.

The header is matched as NumPy's own writer spells it, keys in any order, and never evaluated.
"""

import math
import re
import struct

from .samples import Samples, item_bytes

#: NumPy's own default limit
MAX_HEADER = 10_000
MAX_SIDES = 32
_DESCR = r"'descr': *'(?P<descr>[<>|](?:[ui]1|[uif][248]))'"
_ORDER = r"'fortran_order': *False"
_SHAPE = r"'shape': *\((?P<shape>(?:\d{1,10}(?:, *|(?=\))))*)\)"
_KEYS = re.compile(f"{_DESCR}|{_ORDER}|{_SHAPE}")


def find(data: memoryview, size: int) -> Samples | None:
    if len(data) < 12 or data[6] not in (1, 2, 3):
        return None
    long = data[6] > 1
    (header,) = struct.unpack_from("<I" if long else "<H", data, 8)
    begin = 12 if long else 10
    if begin + header > len(data) or header > MAX_HEADER:
        return None
    fields = _parse(bytes(data[begin : begin + header]).decode("latin-1").strip())
    if fields is None:
        return None
    dtype, shape = fields
    start = begin + header
    return Samples("array", start, start + math.prod(shape) * item_bytes(dtype), shape, dtype)


def _parse(header: str) -> tuple[str, tuple[int, ...]] | None:
    """(dtype, shape) of a header {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }; None for any other."""
    if header[:1] != "{" or header[-1:] != "}":
        return None
    keys = list(_KEYS.finditer(header))
    if len(keys) != 3 or _KEYS.sub("", header[1:-1]).replace(",", "").strip():
        return None
    values: dict[str, str] = {}
    for key in keys:
        values |= {name: value for name, value in key.groupdict().items() if value is not None}
    if "descr" not in values or "shape" not in values:
        return None
    sides = [int(side) for side in values["shape"].split(",") if side.strip()]
    return (values["descr"], tuple(sides)) if len(sides) <= MAX_SIDES else None
