"""The items of an archive: `Item` goes in, `Entry` comes out."""

from enum import IntEnum
from typing import BinaryIO, NamedTuple


class ItemKind(IntEnum):
    """Kinds of items, with their numbers in the format. PATH: a folder that was not packed itself, but contains packed items."""

    FILE, FOLDER, SYMLINK, HARDLINK, PATH = 0, 1, 2, 3, 4


class Item(NamedTuple):
    """A file, folder or link to pack. (name, data) is enough for a file."""

    name: str
    #: of a file; a stream must be able to seek, and is read from its beginning
    data: bytes | BinaryIO = b""
    kind: ItemKind = ItemKind.FILE
    #: of files and folders: permission bits, seconds since 1970, and the numbers of owner and group
    mode: int = 0o644
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    #: of a symbolic link its text; of a hard link the name of a file added before
    target: str = ""


class Entry(NamedTuple):
    """An item of an archive. `size` is that of the file, also for a hard link to it."""

    number: int
    name: str
    kind: ItemKind
    size: int = 0
    mode: int = 0
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
