"""What a page shows of samples and their bits, as JSON values.

picture    pixels as a PNG file, and the bits of each pixel; a large picture in cells of k × k pixels
sound      the lowest and highest sample of each column of the plot, and its bits per sample
"""

import base64
import struct
import zlib
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..media.grid import Grid

#: largest number of cells of a picture; rows that are shown of a picture that is much higher than wide
CELLS, ROWS = 400_000, 1024
#: columns of a waveform
COLUMNS = 1000
#: costliest places that are named, and the side of such a place in a picture, in cells
PLACES, SIDE = 20, 16
#: steps of the stored bits of a cell
STEPS = 256

T = TypeVar("T", bound=np.generic)
Values = dict[str, Any]


def picture(source: bytes, per_byte: NDArray[np.floating], grid: Grid, upside_down: bool, blue_first: bool) -> Values:
    """The view of a picture. source: the beginning of the file; per_byte: its bits, as long. Rows behind its end are left out."""
    rows = _slices(source, grid, max(4 * grid.columns, ROWS))
    values, bits = _samples(source, grid, rows), _of_samples(per_byte, grid, rows).sum((2, 3))
    if upside_down:
        values, bits = values[::-1], bits[::-1]
    values = values[:, :, : 3 if grid.channels >= 3 else 1]
    if blue_first:
        values = values[:, :, ::-1]
    side = int(np.ceil(np.sqrt(rows * grid.columns / CELLS)))
    cells, shown = _means(bits, side), _means(_eight_bits(values, grid), side)
    top = float(np.ceil(max(np.percentile(cells, 99.5), 0.1) * 10) / 10)
    return {
        "view": "picture", "width": grid.columns, "height": rows, "rows": grid.rows, "side": side, "top": top,
        "columns": cells.shape[1], "png": base64.b64encode(png(np.rint(shown).astype(np.uint8))).decode(),
        "bits": _packed(cells), "places": _places(cells, side, grid.columns, rows),
    }  # fmt: skip


def sound(source: bytes, per_byte: NDArray[np.floating], grid: Grid) -> Values:
    """The view of a recording, or of other samples in one long row."""
    total, count = grid.columns, _slices(source, grid, grid.columns)
    grid = grid._replace(columns=count)
    values = _samples(source, grid, 1)[0] - (0 if grid.signed else 1 << (grid.bits - 1))  # [count, channels]
    bits = _of_samples(per_byte, grid, 1)[0].sum(2).mean(1)
    columns = min(count, COLUMNS)
    starts = np.arange(columns) * count // columns
    means = np.add.reduceat(bits, starts) / np.diff(np.append(starts, count))
    full = 1 << (grid.bits - 1)
    return {
        "view": "sound", "samples": count, "of": total, "channels": grid.channels, "starts": starts.tolist(),
        "low": _rounded(np.minimum.reduceat(values.min(1), starts) / full),
        "high": _rounded(np.maximum.reduceat(values.max(1), starts) / full),
        "bits": _rounded(means), "top": max(round(float(means.max()), 3), 0.1),
        "places": np.argsort(-means, kind="stable")[:PLACES].tolist(),
    }  # fmt: skip


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels [rows, columns, 1 or 3]."""
    rows, columns, channels = pixels.shape
    head = struct.pack(">2I5B", columns, rows, 8, 2 if channels == 3 else 0, 0, 0, 0)
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], 1)  # each begins with its filter
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _slices(source: bytes, grid: Grid, most: int) -> int:
    """Complete rows of a picture, or samples at one place of a recording, in the source: at most `most`."""
    slice_bytes = grid.row_bytes if grid.picture else grid.channels * grid.sample_bytes
    return min(most, grid.rows if grid.picture else grid.columns, max(0, len(source) - grid.start) // slice_bytes)


def _of_samples(each_byte: NDArray[T], grid: Grid, rows: int) -> NDArray[T]:
    """[rows, columns, channels, bytes of a sample] of an array with an entry for each byte."""
    lines = each_byte[grid.start : grid.start + rows * grid.row_bytes].reshape(rows, grid.row_bytes)
    used = lines[:, : grid.row_bytes - grid.padding]
    return used.reshape(rows, grid.columns, grid.channels, grid.sample_bytes)


def _samples(source: bytes, grid: Grid, rows: int) -> NDArray[np.int64]:
    """[rows, columns, channels]"""
    parts = _of_samples(np.frombuffer(source, np.uint8), grid, rows)[..., :: -1 if grid.little else 1]
    values = np.zeros(parts.shape[:3], np.int64)
    for i in range(grid.sample_bytes):
        values = values << 8 | parts[..., i]
    return values - ((values >> (grid.bits - 1)) << grid.bits) if grid.signed else values


def _eight_bits(values: NDArray[np.int64], grid: Grid) -> NDArray[np.float64]:
    """Pixels as 0 … 255. Other samples than bytes are stretched from their lowest to their highest."""
    if grid.bits == 8 and not grid.signed:
        return values.astype(np.float64)
    low, high = int(values.min()), int(values.max())
    return (values - low).astype(np.float64) * (255.0 / max(high - low, 1))


def _means(values: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Means over cells of side × side, smaller at the right and lower edge."""
    for axis in (0, 1):
        starts = np.arange(0, values.shape[axis], side)
        counts = np.diff(np.append(starts, values.shape[axis]))
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        values = np.add.reduceat(values, starts, axis) / counts.reshape(shape)
    return values


def _packed(cells: NDArray[np.float64]) -> str:
    """uint16, the lowest byte first, in base64."""
    steps = np.minimum(np.rint(cells * STEPS), 65535).astype("<u2")
    return base64.b64encode(steps.tobytes()).decode()


def _places(cells: NDArray[np.float64], side: int, width: int, height: int) -> list[Values]:
    """The costliest squares: column and row of the first pixel, size in pixels, mean bits of a pixel."""
    means = _means(cells, SIDE)
    order = np.argsort(-means, axis=None, kind="stable")[:PLACES]
    found, size = [], SIDE * side
    for row, column in zip(*(each.tolist() for each in np.unravel_index(order, means.shape))):
        x, y = column * size, row * size
        bits = round(float(means[row, column]), 3)
        found.append({"x": x, "y": y, "width": min(size, width - x), "height": min(size, height - y), "bits": bits})
    return found


def _rounded(values: NDArray[Any]) -> list[float]:
    rounded: list[float] = np.round(values, 4).tolist()
    return rounded
