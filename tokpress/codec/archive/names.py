"""Names of items: bytes as in the file system, parts with slashes between them, relative to the folder of unpacking.

In text, a byte that is not UTF-8 becomes a code point of its own (`surrogateescape`), as in Python's file names.
"""

from ...errors import FormatError

#: most bytes of a name within its folder, and of the path of that folder (Linux: PATH_MAX is 4,096)
MAX_NAME, MAX_FOLDER_NAME = 1 << 16, 1 << 12


def is_part(part: bytes) -> bool:
    """Whether this may be the name of an item within its folder."""
    return part not in (b"", b".", b"..") and b"/" not in part and b"\0" not in part


def to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def parts_of(name: str) -> tuple[bytes, ...]:
    """The parts of a relative name. Raises FormatError where it leads out of its folder, or is too long.

    >>> parts_of("folder/one.txt")
    (b'folder', b'one.txt')
    """
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = b""
    parts = tuple(data.split(b"/"))
    if not all(map(is_part, parts)) or to_text(data) != name:
        raise FormatError(f"{name!r} is no name for an item of an archive: give files below one folder")
    if len(parts[-1]) > MAX_NAME or len(data) - len(parts[-1]) - 1 > MAX_FOLDER_NAME:
        raise FormatError(
            f"{name[:40]!r}… is longer than a name may be: folders above an item have {MAX_FOLDER_NAME:,} bytes at most"
        )
    return parts
