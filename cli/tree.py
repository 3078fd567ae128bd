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


#: folders that are kept open: those reached last, and on the way to a deep one every so many levels
KEPT, STRIDE = 48, 64


class Tree:
    """One folder, and folders below it that were reached lately, all open. Raises OSError where a folder cannot be opened."""

    def __init__(self, root: str) -> None:
        if not _RELATIVE:
            raise TokpressError("pack and unpack need a system that opens files relative to folders; this one does not")
        self._root = os.open(root, _FLAGS)
        self._open: dict[Parts, int] = {}  # by how lately each was used, the last one at the end

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *error: Any) -> None:
        for folder in (*self._open.values(), self._root):
            os.close(folder)

    def reach(self, parts: Parts, make: bool = False) -> int:
        """The descriptor of a folder, until another is reached. make: create what is missing on the way."""
        if not parts:
            return self._root
        if parts in self._open:
            self._open[parts] = self._open.pop(parts)
            return self._open[parts]
        known = max((each for each in self._open if parts[: len(each)] == each), key=len, default=())
        here, is_kept = self._open.get(known, self._root), True
        try:
            for depth in range(len(known) + 1, len(parts) + 1):
                below = _into(here, parts[depth - 1], make)
                if not is_kept:
                    os.close(here)
                here, is_kept = below, depth == len(parts) or depth % STRIDE == 0
                if is_kept:
                    self._keep(parts[:depth], here)
        except BaseException:
            if not is_kept:
                os.close(here)
            raise
        return here

    def _keep(self, parts: Parts, folder: int) -> None:
        self._open[parts] = folder
        if len(self._open) > KEPT:
            os.close(self._open.pop(next(iter(self._open))))


def _into(folder: int, part: bytes, make: bool) -> int:
    try:
        return os.open(part, _FLAGS | _NO_LINK, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):  # another process was faster
        os.mkdir(part, dir_fd=folder)
    return os.open(part, _FLAGS | _NO_LINK, dir_fd=folder)
