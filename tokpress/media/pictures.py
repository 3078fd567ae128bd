"""One PNG with many pictures of the same size, made from raw bytes. Needs Pillow (`pip install "tokpress[image]"`)."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import TokpressError
from ..exact.orders import Shape

#: pixels between the pictures of a grid
GAP = 2


def pixels(data: bytes, count: int, shape: Shape) -> NDArray[np.uint8]:
    """Pixels [count, rows, columns, channels] uint8 from the bytes of `count` pictures with 8 bits per value, or one bit per pixel.

    Raises TokpressError if the number of bytes does not fit.

    >>> pixels(b"\\xf0", 1, (2, 4))[0, :, :, 0].tolist()
    [[255, 255, 255, 255], [0, 0, 0, 0]]
    """
    rows, columns, channels = (*shape, 1, 1)[:3]
    values = count * math.prod((rows, columns, channels))
    raw = np.frombuffer(data, np.uint8)
    if 8 * len(raw) == values:
        raw = np.unpackbits(raw) * np.uint8(255)
    elif len(raw) != values:
        raise TokpressError(f"{len(raw):,} bytes are not {count:,} pictures of {'x'.join(map(str, shape))} pixels")
    return raw.reshape(count, rows, columns, channels)


def enlarged(pictures: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Pictures [N, rows, columns, channels] with `scale` × `scale` pixels for each."""
    return pictures.repeat(scale, 1).repeat(scale, 2)


def grid(pictures: NDArray[np.uint8], across: int = 0) -> NDArray[np.uint8]:
    """Arrange pictures [N, rows, columns, channels] with gaps: [height, width, channels]. across: number in a row; 0: about as wide as high."""
    count, rows, columns, channels = pictures.shape
    across = across or math.ceil(math.sqrt(count * rows / columns))
    down = -(-count // across)
    out = np.full((down * (rows + GAP) - GAP, across * (columns + GAP) - GAP, channels), 128, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // across * (rows + GAP), i % across * (columns + GAP)
        out[y : y + rows, x : x + columns] = picture
    return out


def write_png(path: Path | str | BinaryIO, picture: NDArray[np.uint8]) -> None:
    """Write a picture [height, width, 1 or 3]."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise TokpressError('writing pictures needs Pillow: pip install "tokpress[image]"') from None
    if picture.shape[2] not in (1, 3):
        raise TokpressError(f"a PNG picture needs 1 or 3 channels, not {picture.shape[2]}")
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(path, format="PNG")
