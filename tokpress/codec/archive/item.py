"""The items of an archive: `Item` goes in, `Entry` comes out."""

from enum import IntEnum
from typing import BinaryIO, NamedTuple


class ItemKind(IntEnum):
    """Numbers as in the format. PATH: a folder that is no item, but holds some."""

    FILE, FOLDER, SYMLINK, HARDLINK, PATH = 0, 1, 2, 3, 4


class Place(IntEnum):
    """What a part of the index begins, numbers as in the format. FIRST: an archive. LATER: nothing, it goes on. UPDATE: an archive whose
    items replace those of the same names in the archives before it."""

    FIRST, LATER, UPDATE = 0, 1, 2


class Item(NamedTuple):
    """A file, folder or link for an archive. A file needs (name, data) only."""

    name: str
    #: bytes of a file, or a stream that can seek, which is read from its beginning
    data: bytes | BinaryIO = b""
    kind: ItemKind = ItemKind.FILE
    #: of files and folders: permission bits
    mode: int = 0o644
    #: of files, folders and symbolic links: seconds since 1970, numbers of owner and group
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    #: text of a symbolic link; of a hard link, name of a file added before
    target: str = ""
    #: of its time, 0 to 999,999,999; they take about 4 bytes of an archive
    nanoseconds: int = 0


class Entry(NamedTuple):
    """An item of an archive. size: of the file, and of a hard link to it."""

    number: int
    name: str
    kind: ItemKind
    size: int = 0
    mode: int = 0
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
    nanoseconds: int = 0
