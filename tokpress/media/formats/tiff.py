"""Baseline TIFF without compression whose strips follow each other: 8 or 16 bits a sample, channels side by side.

The first picture is found. Files with tiles, planes or scattered strips are coded as bytes.
Only the tags named here are read, each once, as views of the file, so a false count allocates nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ...lazy import np
from .samples import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.unsignedinteger[Any]]  # uint16 or uint32

WIDTH, HEIGHT, BITS, COMPRESSION, OFFSETS, CHANNELS, COUNTS, PLANES = 256, 257, 258, 259, 273, 277, 279, 284
TILES = 322
READ = frozenset({WIDTH, HEIGHT, BITS, COMPRESSION, OFFSETS, CHANNELS, COUNTS, PLANES, TILES})
#: short and long: the only types that these tags have
TYPES = {3: "u2", 4: "u4"}
#: strips that are compared at a time
PIECE = 1 << 14


def find(data: memoryview, size: int) -> Samples | None:
    order = "<" if data[0] == ord("I") else ">"
    tags = _tags(data, order)
    if tags is None or TILES in tags:
        return None
    channels, bits = _one(tags, CHANNELS), tags.get(BITS, np.ones(1, np.uint16))
    if _one(tags, COMPRESSION) != 1 or (channels > 1 and _one(tags, PLANES) != 1):
        return None
    if len(bits) != channels or bits[0] not in (8, 16) or (bits != bits[0]).any():
        return None
    offsets, counts = tags[OFFSETS], tags[COUNTS]
    if len(offsets) != len(counts) or not _adjacent(offsets, counts):
        return None
    shape = (_one(tags, HEIGHT), _one(tags, WIDTH), channels)
    stop = int(offsets[-1]) + int(counts[-1])
    return Samples("image", int(offsets[0]), stop, shape, "|u1" if bits[0] == 8 else f"{order}u2")


def _tags(data: memoryview, order: str) -> dict[int, Values] | None:
    """The values of the tags in READ, as views of `data`; None where a tag is there twice, or not in order."""
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    tags: dict[int, Values] = {}
    before = -1
    for place in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        if tag <= before:
            return None
        before = tag
        if tag in READ:
            dtype = np.dtype(order + TYPES[kind])
            start = place + 8
            if count * dtype.itemsize > 4:
                (start,) = struct.unpack_from(f"{order}I", data, start)
            tags[tag] = np.frombuffer(data, dtype, count, start)
    return tags


def _one(tags: dict[int, Values], tag: int) -> int:
    """The value of a tag that has one; 1 where the tag is missing."""
    (value,) = tags.get(tag, (1,))
    return int(value)


def _adjacent(offsets: Values, counts: Values) -> bool:
    """Whether each strip begins where the one before it ends."""
    for at in range(0, len(offsets) - 1, PIECE):
        starts = offsets[at : at + PIECE + 1].astype(np.int64)
        ends = starts[:-1] + counts[at : at + len(starts) - 1]
        if (ends != starts[1:]).any():
            return False
    return True
