"""Baseline TIFF without compression whose strips follow each other: 8 or 16 bits a sample, channels side by side.

The first picture is found. Tiles, planes and strips that are scattered are unusual, and stay bytes.
"""

import struct

from .samples import Samples

WIDTH, HEIGHT, BITS, COMPRESSION, OFFSETS, CHANNELS, COUNTS, PLANES = 256, 257, 258, 259, 273, 277, 279, 284
TILES = 322
#: short and long: the only types that these tags have
SIZES = {3: ("H", 2), 4: ("I", 4)}
MOST_STRIPS = 1 << 20


def find(data: memoryview, size: int) -> Samples | None:
    order = "<" if data[0] == ord("I") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    tags: dict[int, tuple[int, ...]] = {}
    for i in range(entries):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at + 2 + 12 * i)
        if kind in SIZES and count <= MOST_STRIPS:
            letter, size = SIZES[kind]
            place = at + 10 + 12 * i
            if count * size > 4:
                (place,) = struct.unpack_from(f"{order}I", data, place)
            tags[tag] = struct.unpack_from(f"{order}{count}{letter}", data, place)
    channels, bits = tags.get(CHANNELS, (1,))[0], tags.get(BITS, (1,))
    if TILES in tags or tags.get(COMPRESSION, (1,)) != (1,) or (channels > 1 and tags.get(PLANES, (1,)) != (1,)):
        return None
    if set(bits) not in ({8}, {16}) or len(bits) != channels:
        return None
    offsets, counts = tags[OFFSETS], tags[COUNTS]
    if len(offsets) != len(counts) or any(a + n != b for a, n, b in zip(offsets, counts, offsets[1:])):
        return None
    shape = (tags[HEIGHT][0], tags[WIDTH][0], channels)
    return Samples("image", offsets[0], offsets[-1] + counts[-1], shape, "|u1" if bits[0] == 8 else f"{order}u2")
