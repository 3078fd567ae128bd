"""Folders below one folder, reached part by part without following a link: one that is planted meanwhile leads nowhere."""

import contextlib
import errno
import os
from typing import Any

from tokpress.errors import TokpressError

Parts = tuple[bytes, ...]
#: what the system says where a file or a link stands in a folder's place
IN_THE_WAY = (errno.ENOTDIR, errno.ELOOP)
_RELATIVE = os.open in os.supports_dir_fd
_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class Tree:
    """One folder, and the one below it that was reached last, both open. Raises OSError where a folder cannot be opened."""

    def __init__(self, root: str) -> None:
        if not _RELATIVE:
            raise TokpressError("pack and unpack need a system that opens files relative to folders; this one does not")
        self._root = os.open(root, _FLAGS)
        self._parts: Parts = ()
        self._last = os.dup(self._root)

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *error: Any) -> None:
        os.close(self._root)
        os.close(self._last)

    def reach(self, parts: Parts, make: bool = False) -> int:
        """The descriptor of a folder, until another is reached. make: create what is missing on the way."""
        if parts == self._parts:
            return self._last
        near = parts[: len(self._parts)] == self._parts
        here = os.dup(self._last if near else self._root)
        try:
            for part in parts[len(self._parts) if near else 0 :]:
                below = _into(here, part, make)
                os.close(here)
                here = below
        except BaseException:
            os.close(here)
            raise
        os.close(self._last)
        self._parts, self._last = parts, here
        return here


def _into(folder: int, part: bytes, make: bool) -> int:
    try:
        return os.open(part, _FLAGS | _NO_LINK, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):  # another process was faster
        os.mkdir(part, dir_fd=folder)
    return os.open(part, _FLAGS | _NO_LINK, dir_fd=folder)
