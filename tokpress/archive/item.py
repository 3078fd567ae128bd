"""What is put into an archive, and what an archive tells of it."""

from enum import IntEnum
from typing import BinaryIO, NamedTuple


class ItemKind(IntEnum):
    """The number is that of the format. PATH: a folder that was not put in itself, but something below it was."""

    FILE, FOLDER, SYMLINK, HARDLINK, PATH = 0, 1, 2, 3, 4


class Item(NamedTuple):
    """What is put in. (name, data) is enough for a file."""

    name: str
    #: of a file; a stream must be able to seek, and is read from its beginning
    data: bytes | BinaryIO = b""
    kind: ItemKind = ItemKind.FILE
    #: of files and folders: permission bits, seconds since 1970, and the numbers of owner and group
    mode: int = 0o644
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    #: what a symbolic link says, or the name of the file, put in before, that a hard link is another name of
    target: str = ""


class Entry(NamedTuple):
    """What an archive tells of one item. `size` is that of the file, also for a hard link to it."""

    number: int
    name: str
    kind: ItemKind
    size: int = 0
    mode: int = 0
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
