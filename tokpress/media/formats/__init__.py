"""Files of raw samples: where the samples are, and what shape and type they have.

PPM, PGM, BMP, TGA, TIFF, WAV, NPY and IDX files hold raw pixels or sound between a header and a trailer. `find` locates the samples, so a
file splits into header, samples and trailer without loss. Samples that are compressed, cut off or unusual are not found; such a file is
coded as bytes.

    find(data) ──► Samples(start, stop, shape, dtype, …)      data[start:stop] are rows of `shape`, each padded to `row_bytes`
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib import import_module

from ...lazy import np
from ..grid import Grid
from .samples import Samples

__all__ = ["Samples", "find", "grid_of", "values"]

#: (first bytes, module with a function `find(data, size)`) of each format
FORMATS = [
    (b"P5", "pnm"),
    (b"P6", "pnm"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"RIFF", "wav"),
    (b"\x93NUMPY", "npy"),
    (b"\0\0\2\0\0\0\0\0\0\0\0\0", "tga"),
    (b"\0\0", "idx"),
]


def find(data: bytes, size: int | None = None) -> Samples | None:
    """The samples in a file; None if they are not found. Never raises.

    size: size of the file, if `data` is only its beginning.

    >>> found = find(b"P5 3 2 255 abcdef")
    >>> found.start, found.stop, found.shape, found.kind
    (11, 17, (2, 3, 1), 'image')
    """
    view = memoryview(data)
    size = len(view) if size is None else size
    for magic, reader in FORMATS:
        if view[: len(magic)] == magic:
            read: Callable[[memoryview, int], Samples | None] = import_module(f".{reader}", __name__).find
            try:
                samples = read(view, size)
            except (ValueError, IndexError, KeyError, OverflowError, struct.error):  # broken headers
                return None
            return samples if samples and samples.fits(size) else None
    return None


def grid_of(data: bytes, size: int | None = None) -> Grid | None:
    """The grid of a file's samples, for a prior over samples. size: as in `find`."""
    samples = find(data, size)
    return samples.grid() if samples else None


def values(data: bytes, samples: Samples) -> np.ndarray:
    """The samples as an array of `shape`, without the padding of rows. Read-only: it may be a view of `data`."""
    raw = np.frombuffer(data, np.uint8, samples.stop - samples.start, samples.start)
    rows = raw.reshape(samples.rows, samples.row_bytes)[:, : samples.row_bytes - samples.padding]
    return np.ascontiguousarray(rows).view(samples.dtype).reshape(samples.shape)
