"""The bytes of an array as the source of a .tokp file.

Models of pixels and sound need the shape of the data. An array of integers whose shape they can use is stored as an .npy file, which
tells it; any other array is stored as its bytes. Bytes that begin as .npy files do are put into one, so a reader can tell both apart.

>>> source = source_of(memoryview(bytes(10_000)), np.dtype("u1"), (100, 100))
>>> np.load(io.BytesIO(source)).shape, bytes_of(source) == bytes(10_000)
((100, 100), True)
>>> source_of(memoryview(b"few"), np.dtype("u1"), (3,))
b'few'
"""

import io
import math

import numpy as np
from numpy.lib.format import write_array_header_1_0

from ..errors import FormatError
from ..media import formats

MAGIC = b"\x93NUMPY"
#: a header costs more than the shape gains below this
MIN_BYTES = 1 << 12


def source_of(data: memoryview, dtype: np.dtype | None, shape: tuple[int, ...]) -> bytes:
    """What is compressed in place of `data`, the bytes of an array in C order. dtype: None where it is not known."""
    if dtype is not None and dtype.kind in "iu" and MIN_BYTES <= len(data) == dtype.itemsize * math.prod(shape):
        source = _header(dtype.str, shape) + data
        if formats.grid_of(source) is not None:
            return source
    return _header("|u1", (len(data),)) + data if data[: len(MAGIC)] == MAGIC else bytes(data)


def bytes_of(source: bytes) -> bytes:
    """The bytes of the array: the reverse of `source_of`. Raises FormatError where the source is another kind of .npy file."""
    if not source.startswith(MAGIC):
        return source
    start = 10 + int.from_bytes(source[8:10], "little")
    if source[6:8] != b"\1\0" or start > len(source):
        raise FormatError("this is no chunk of an array that the codec wrote: decompress it with tokpress.decompress")
    return source[start:]


def _header(descr: str, shape: tuple[int, ...]) -> bytes:
    write_array_header_1_0(out := io.BytesIO(), {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue()
