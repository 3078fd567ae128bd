"""The items of an archive: `Item` goes in, `Entry` comes out."""

from enum import IntEnum
from typing import BinaryIO, NamedTuple


class ItemKind(IntEnum):
    """Numbers as in the format. PATH: a folder that is no item, but holds some."""

    FILE, FOLDER, SYMLINK, HARDLINK, PATH = 0, 1, 2, 3, 4


class Item(NamedTuple):
    """A file, folder or link for an archive. A file needs (name, data) only."""

    name: str
    #: bytes of a file, or a stream that can seek, which is read from its beginning
    data: bytes | BinaryIO = b""
    kind: ItemKind = ItemKind.FILE
    #: of files and folders: permission bits, seconds since 1970, numbers of owner and group
    mode: int = 0o644
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    #: text of a symbolic link; of a hard link, name of a file added before
    target: str = ""


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
