"""Pictures as training data: the values of a file of pictures, as raw bytes in raster order.

    .npy               an array of uint8, any shape
    .npz               its array of uint8; it has to hold exactly one
    idx (-ubyte, .gz)  MNIST's format: the images or labels without the header
    .png .jpg .bmp …   pixels, rows from the top, channels side by side (Pillow; `pip install "tokpress[image]"`)

A palette becomes its colours; a value of 16 bits stays two bytes. To compress such pictures later, give the same raw bytes, or a
.npy or idx file as it is: bytes before the first item are coded after the items.

Raises CorpusError where a file is damaged or holds another type, or Pillow is not installed.
"""

import gzip
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...errors import CorpusError
from ...media import formats
from ...media.formats import Samples
from ...media.unwrap_picture import MODES, on_black

T = TypeVar("T")

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
ARRAYS = (".npy", ".npz")
#: a larger picture is refused
MAX_PIXELS = 1 << 28
#: bytes that hold the header of an array
HEAD_BYTES = 1 << 16


def is_picture(path: Path) -> bool:
    """Whether `read` knows this kind of file, by its name."""
    return path.suffix.lower() in (*PICTURES, *ARRAYS) or path.name.removesuffix(".gz").endswith("-ubyte")


def layout(path: Path) -> Samples | None:
    """The layout of an array; None for a picture, whose pixels are bytes."""
    if path.suffix.lower() in PICTURES:
        return None
    try:
        if path.suffix.lower() == ".npz":
            shape = _archive(path).shape
            return Samples("array", 0, math.prod(shape), shape, "|u1")
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error
    if (found := formats.find(head, 1 << 62)) is None:
        raise CorpusError(f"{path} is damaged, or no array of unsigned bytes; repair it or leave it out")
    return found


def read(path: Path) -> bytes:
    """All values of the file, as bytes."""
    try:
        if path.suffix.lower() in PICTURES:
            return _picture(path)
        if path.suffix.lower() == ".npz":
            return _archive(path).tobytes()
        raw = path.read_bytes()
        return _samples(path, gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error


def _archive(path: Path) -> np.ndarray:
    # np.load leaves a damaged file open if it is not opened here
    arrays = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    names = [name for name in arrays.files if arrays[name].dtype == np.uint8]
    if len(names) != 1:
        raise CorpusError(f"{path} holds {len(names)} arrays of uint8, not one; save the one to train on as .npy")
    array: np.ndarray = arrays[names[0]]
    return array


def _samples(path: Path, raw: bytes) -> bytes:
    found = formats.find(raw)
    if found is None:
        raise CorpusError(f"{path} is damaged, or no array of unsigned bytes; repair it or leave it out")
    if found.dtype != "|u1":
        raise CorpusError(f"{path} holds {np.dtype(found.dtype)}, not uint8; convert it first")
    return formats.values(raw, found).tobytes()


def pixels(path: Path, channels: int) -> np.ndarray:
    """[rows, columns, channels] uint8: grey, red-green-blue, or these with opacity. Without a channel for opacity, transparent
    pixels are blended with black."""
    if channels not in MODES:
        raise CorpusError(f"pictures have 1 to 4 channels, not {channels}")

    def converted(picture: Any) -> np.ndarray:
        from PIL import Image

        if picture.mode.startswith(("I", "F")):  # Pillow would clip them
            raise CorpusError(f"{path} has more than 8 bits a sample; convert it first")
        if channels in (1, 3):
            picture = on_black(picture, Image)
        return np.asarray(picture.convert(MODES[channels])).reshape(picture.height, picture.width, channels)

    try:
        return _opened(path, converted)
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error


def _picture(path: Path) -> bytes:
    def values(picture: Any) -> bytes:
        mode = {"P": "RGBA" if "transparency" in picture.info else "RGB", "1": "L"}.get(picture.mode, picture.mode)
        return np.asarray(picture if mode == picture.mode else picture.convert(mode)).tobytes()

    return _opened(path, values)


def _opened(path: Path, convert: Callable[[Any], T]) -> T:
    """`convert(picture)` of the opened file."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise CorpusError(f'{path}: reading pictures needs Pillow: pip install "tokpress[image]"') from None
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise CorpusError(f"{path} has {picture.width} × {picture.height} pixels, too many; cut it up first")
        return convert(picture)
