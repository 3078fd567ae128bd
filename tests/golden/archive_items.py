"""Golden archives and golden indexes: what they hold, and how `make` made them."""

import io
from collections.abc import Iterator
from pathlib import Path

from tokpress.codec import archive
from tokpress.codec.archive import Archive, Item, ItemKind
from tokpress.codec.options import Options
from tokpress.container.index import iter_headers, pack_index
from tokpress.models import store

HERE = Path(__file__).parent
FOLDER = HERE / "archives"
#: of the golden files: one of many frames, and one of several members
INDEXED = "mixed-frames", "mixed-members"


def items(given: dict[str, bytes]) -> tuple[list[Item], list[Item]]:
    """Items of each kind, with each property, and an update of some: `files-update` is both, one after the other."""
    pictures = [Item(f"pictures/{n}.ppm", given["picture"], mtime=1_600_000_000 + n) for n in range(2)]
    first = [
        Item("a", b"one", mode=0o4755, mtime=-5),
        Item("empty", kind=ItemKind.FOLDER, mode=0o500, mtime=2**40),
        Item("empty/not", b"", mode=0),
        Item("notes/prose.txt", given["prose"], mtime=1_700_000_000, uid=1000, gid=100, nanoseconds=123_456_789),
        Item("notes/code.txt", given["code"], mtime=1_700_000_001, uid=1000, gid=100),
        *pictures,
        Item("links/é", mtime=9, uid=3, kind=ItemKind.SYMLINK, target="../é/\udcff/x", nanoseconds=10**9 - 1),
        Item("links/same", kind=ItemKind.HARDLINK, target="a"),
    ]
    update = [
        Item("a", b"two", mode=0o600, mtime=7),
        Item("empty", kind=ItemKind.FOLDER, mode=0o700, mtime=8),
        Item("empty/new", given["binary"], mtime=1_800_000_000),
    ]
    return first, update


def cases(given: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """(path of a golden file, its bytes)"""
    first, update = items(given)
    options = Options([store.load("context-mixing"), store.load("context-mixing-2d")], frame_size=8000)
    archive.write(first, out := io.BytesIO(), options, size=2000, batch=30_000)
    yield "archives/files.tokp", out.getvalue()
    archive.write(update, out, options, joined=True, updates=True)
    yield "archives/files-update.tokp", out.getvalue()
    for name in INDEXED:
        with (HERE / f"{name}.tokp").open("rb") as file:
            yield f"archives/{name}.tokp.idx", pack_index(iter_headers(file))


def contents(data: bytes) -> dict[str, object]:
    """Each entry of an archive, with its bytes where it has some."""
    held = Archive(io.BytesIO(data))
    with_bytes = (ItemKind.FILE, ItemKind.HARDLINK)
    return {
        entry.name: (entry._replace(number=0), held.read(entry.name) if entry.kind in with_bytes else None)
        for entry in held.entries()
    }
