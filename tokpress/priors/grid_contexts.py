"""Contexts of a byte among pixels, for pictures that were drawn: few colours, sharp edges, repeated patterns.

What a photograph wants is in `samples.py`; here nothing is guessed, only what stood in the same surroundings is remembered:
the bytes of the pixels to the west W, north N, north-west and north-east, one by one and as whole pixels, each with those
bytes of this pixel that are known. Of a recording, N is what came two frames ago.
"""

from .mixing import function, hash31, inline

# fields of a geometry (int64 each), in bytes; STOP is 0 where there are no pixels
START, STOP, PIXEL, ROW, USED = range(5)
GEOMETRY_FIELDS = 8


@inline
def _whole(history, at, count, hash):
    """A hash of `count` bytes from here on; before the first byte there are zeros."""
    for i in range(count):
        hash = hash31(hash * 32 + (history[at + i] if at + i >= 0 else 0) + 1)
    return hash


@inline
def _byte(history, at):
    return int(history[at]) if at >= 0 else 0


@function
def pixel_contexts(at, geometry, history, hashes):
    """The contexts of the byte that will stand at `at`; False where it is part of no pixel."""
    if not geometry[START] <= at < geometry[STOP]:
        return False
    pixel, row = geometry[PIXEL], geometry[ROW]
    inside = (at - geometry[START]) % row
    if inside >= geometry[USED]:
        return False
    k = inside % pixel
    begin = at - k
    west, north = _byte(history, at - pixel), _byte(history, at - row)
    north_west, north_east = _byte(history, at - row - pixel), _byte(history, at - row + pixel)
    own = _whole(history, begin, k, k + 1)  # what is known of this pixel
    by_west = _whole(history, begin - pixel, pixel, own)
    by_north = _whole(history, begin - row, pixel, own + 0x1000000)
    both = _whole(history, begin - row, pixel, by_west + 0x2000000)
    corner = _whole(history, begin - row - pixel, pixel, both + 0x3000000)
    hashes[0] = hash31(own + 0x4000000)
    hashes[1] = hash31(west * 16 + k + 0x5000000)
    hashes[2] = hash31(north * 16 + k + 0x6000000)
    hashes[3] = hash31((west * 256 + north) * 16 + k + 0x7000000)
    hashes[4] = by_west
    hashes[5] = by_north
    hashes[6] = both
    hashes[7] = corner
    hashes[8] = _whole(history, begin - row + pixel, pixel, corner + 0x8000000)
    hashes[9] = _whole(history, begin - 2 * pixel, pixel, by_west + 0x9000000)
    hashes[10] = _whole(history, begin - 2 * row, pixel, by_north + 0xA000000)
    hashes[11] = hash31(((west + north - north_west) & 0x1FF) * 16 + k + ((north_east >> 4) << 16) + 0xB000000)
    return True
