"""A sheet of reconstructions, written while a tokenizer of pictures trains: held-out pictures above, their reconstructions below.

A picture is larger than an item. Its items overlap by half, and the sheet shows their mean, weighted by a hat in each direction:

    x̂(p) = Σ_i w(p − p_i) x̂_i(p − p_i) / Σ_i w(p − p_i)        w(r, c) = min(r + 1, R − r) · min(c + 1, C − c)

So the sheet has no seams at the edges of items, and shows what the codes hold. A compressed file has no overlap, since that would take four times
the tokens: its seams are those of `decode`.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..media import pictures
from ..pages.views import png

#: pictures on a sheet, and their sides at most, in items
COUNT, ITEMS = 6, 3
#: width of a sheet that pixels are enlarged for
WIDTH = 768

#: items [n, rows, columns, channels] → their reconstructions
Decode = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def areas(held_out: Sequence[np.ndarray], sides: tuple[int, ...]) -> list[NDArray[np.uint8]]:
    """Pictures [rows, columns, channels] for a sheet, all of one shape: the middle of held-out pictures, or held-out items."""
    found = [array[: COUNT - i] if array.ndim == 4 else array[None] for i, array in enumerate(held_out[:COUNT])]
    singles = [picture for group in found for picture in group][:COUNT]
    if not singles:
        return []
    rows, columns = (min(ITEMS * side, *(one.shape[axis] for one in singles)) for axis, side in enumerate(sides))
    starts = [((one.shape[0] - rows) // 2, (one.shape[1] - columns) // 2) for one in singles]
    return [one[y : y + rows, x : x + columns] for one, (y, x) in zip(singles, starts)]


def places(extent: int, side: int) -> list[int]:
    """Where items of a picture begin, half an item apart. The last one ends with the picture.

    >>> places(20, 8), places(8, 8)
    ([0, 4, 8, 12], [0])
    """
    return sorted({*range(0, extent - side, max(1, side // 2)), extent - side})


def reconstructed(picture: NDArray[np.uint8], sides: tuple[int, ...], decode: Decode) -> NDArray[np.uint8]:
    """The mean of the reconstructions of overlapping items."""
    rows, columns = sides
    corners = [(y, x) for y in places(picture.shape[0], rows) for x in places(picture.shape[1], columns)]
    items = decode(np.stack([picture[y : y + rows, x : x + columns] for y, x in corners]))
    hats = (np.minimum(np.arange(side) + 1, side - np.arange(side)) for side in sides)
    weight = np.multiply.outer(*hats).astype(np.float64)[:, :, None]
    total, mass = np.zeros(picture.shape), np.zeros((*picture.shape[:2], 1))
    for (y, x), item in zip(corners, items):
        total[y : y + rows, x : x + columns] += weight * item
        mass[y : y + rows, x : x + columns] += weight
    return np.rint(total / mass).astype(np.uint8)


def write(path: Path, shown: Sequence[NDArray[np.uint8]], sides: tuple[int, ...], decode: Decode) -> None:
    """Write the sheet: the pictures in a row, their reconstructions below. A reader never sees a part of a file."""
    both = np.stack([*shown, *(reconstructed(picture, sides, decode) for picture in shown)])
    scale = max(1, math.floor(WIDTH / (len(shown) * both.shape[2])))
    sheet = pictures.grid(pictures.enlarged(both, scale), across=len(shown))
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(png(sheet[:, :, : 3 if sheet.shape[2] >= 3 else 1]))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
