"""Small archives, well made and made by hand."""

import io

import numpy as np

from tests.container.frames import member
from tokpress.codec import archive
from tokpress.codec.archive_magic import MAGIC
from tokpress.codec.options import Options
from tokpress.container.frames import Kind
from tokpress.models.store import load


def picture(seed: int, rows: int = 12, columns: int = 10) -> bytes:
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (4, 3)).astype(np.uint8)
    pixels = colours[rng.integers(0, 4, (rows, columns)) & np.arange(columns) % 3]
    return f"P6 {columns} {rows} 255\n".encode() + pixels.tobytes()


def packed(items, size: int = archive.GROUP_SIZE, frame_size: int = 1 << 24, **settings) -> bytes:
    """An archive of {name: bytes}, or of items."""
    items = items.items() if isinstance(items, dict) else items
    archive.write(
        items, out := io.BytesIO(), Options([load("context-mixing")], frame_size=frame_size), size, **settings
    )
    return out.getvalue()


def by_hand(columns: bytes, *sources: bytes, goes_on: int = 0, kind: Kind = Kind.RAW) -> bytes:
    """An archive of an index that may be wrong, each source a frame."""
    head = MAGIC + bytes([goes_on]) + len(columns).to_bytes(4, "little") + columns
    return b"".join(member((kind, head), *[(Kind.RAW if not source else kind, source) for source in sources]))


def opened(data: bytes, **settings) -> archive.Archive:
    return archive.Archive(io.BytesIO(data), **settings)
