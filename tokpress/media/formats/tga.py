"""Truevision TGA without compression, 32 bits per pixel: blue, green, red, opacity. The header of 18 bytes names nothing but the size.

Such files have no signature, so only the plainest form is found: no text, no palette, an origin of 0, and nothing behind the pixels.
"""

import struct

from .samples import Samples

#: no text, no palette, true colour without compression, no palette's place and size, origin 0 0
BEGIN = bytes([0, 0, 2]) + bytes(9)
#: bits per pixel; 8 bits of opacity, and the first row is the top one
DEPTH, FROM_TOP = 32, 0x28
MAX_SIDE = 0xFFFF


def header(columns: int, rows: int) -> bytes:
    return BEGIN + struct.pack("<HHBB", columns, rows, DEPTH, FROM_TOP)


def find(data: memoryview, size: int) -> Samples | None:
    columns, rows, depth, form = struct.unpack_from("<HHBB", data, len(BEGIN))
    start = len(BEGIN) + 6
    stop = start + 4 * columns * rows
    if depth != DEPTH or form != FROM_TOP or stop != size:
        return None
    return Samples("image", start, stop, (rows, columns, 4), "|u1", blue_first=True)
