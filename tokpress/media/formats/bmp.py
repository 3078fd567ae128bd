"""Windows bitmaps without compression: 8 (palette indices or grey), 24 or 32 bits per pixel, blue first.

Rows are padded to multiples of four bytes. The bottom row comes first unless the height is negative.
"""

import struct

from .samples import Samples


def find(data: memoryview, size: int) -> Samples | None:
    if len(data) < 54:
        return None
    start, header = struct.unpack_from("<II", data, 10)
    columns, rows, planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if header < 40 or planes != 1 or compression or bits not in (8, 24, 32) or columns <= 0 or not rows:
        return None
    channels = bits // 8
    padding, height = -columns * channels % 4, abs(rows)
    stop = start + height * (columns * channels + padding)
    return Samples("image", start, stop, (height, columns, channels), "|u1", padding, rows > 0, channels > 1)
