"""IDX, the format of MNIST: two zero bytes, a type, the number of dimensions, each dimension as a big-endian uint32, the values."""

import math
import struct

from .samples import Samples, item_bytes

DTYPES = {0x08: "|u1", 0x09: "|i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def find(data: memoryview, size: int) -> Samples | None:
    if len(data) < 4 or data[2] not in DTYPES or not 1 <= data[3] <= 4:
        return None
    start = 4 + 4 * data[3]
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    dtype = DTYPES[data[2]]
    return Samples("array", start, start + math.prod(shape) * item_bytes(dtype), shape, dtype)
