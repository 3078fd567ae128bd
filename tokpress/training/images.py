"""Pictures as training data: what is in a file of pictures, as raw bytes, one value after the other in raster order.

    .npy               an array of uint8, any shape
    .npz               the array of uint8 in it; there must be one
    idx (-ubyte, .gz)  MNIST's format: the images or labels without the header
    .png .jpg .bmp …   pixels, rows from the top, channels side by side (Pillow; `pip install "tokpress[image]"`)

A palette becomes its colours; 16 bits a value stay two bytes. Whoever compresses such pictures later gives the same raw
bytes, or a .npy or idx file as it is: what stands before the first whole item is coded after the items.

Raises CorpusError: damaged, an array of something else, Pillow absent.
"""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

from ..errors import CorpusError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
ARRAYS = (".npy", ".npz")
#: a picture larger than this is no training data
MOST_PIXELS = 1 << 28


def is_picture(path: Path) -> bool:
    """Whether `read` knows this kind of file, by its name."""
    return path.suffix.lower() in (*PICTURES, *ARRAYS) or path.name.removesuffix(".gz").endswith("-ubyte")


def read(path: Path) -> bytes:
    """All values of the file."""
    try:
        if path.suffix.lower() in ARRAYS:
            return _array(path).tobytes()
        if path.suffix.lower() in PICTURES:
            return _picture(path)
        raw = path.read_bytes()
        return _idx(path, gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error


def _array(path: Path) -> np.ndarray:
    # np.load leaves a damaged file open if it is not opened here
    made = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    if not isinstance(made, np.ndarray):
        names = [name for name in made.files if made[name].dtype == np.uint8]
        if len(names) != 1:
            raise CorpusError(f"{path} holds {len(names)} arrays of uint8, not one; save the one to train on as .npy")
        made = made[names[0]]
    if made.dtype != np.uint8:
        raise CorpusError(f"{path} holds {made.dtype}, not uint8; convert it first")
    return made


def _idx(path: Path, raw: bytes) -> bytes:
    """Magic 0, 0, type 8 (unsigned byte), number of dimensions; each as a big-endian uint32; values."""
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise CorpusError(f"{path} is no idx file of unsigned bytes")
    start = 4 + 4 * raw[3]
    sizes = np.frombuffer(raw[4:start], ">u4").astype(np.int64)
    if len(raw) - start != int(np.prod(sizes)):
        raise CorpusError(f"{path} is cut off, or longer than its header says")
    return raw[start:]


def _picture(path: Path) -> bytes:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise CorpusError(f'{path}: reading pictures needs Pillow: pip install "tokpress[image]"') from None
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise CorpusError(f"{path} has {picture.width} × {picture.height} pixels, too many; cut it up first")
        mode = {"P": "RGBA" if "transparency" in picture.info else "RGB", "1": "L"}.get(picture.mode, picture.mode)
        return np.asarray(picture if mode == picture.mode else picture.convert(mode)).tobytes()
