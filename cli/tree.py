"""Folders below one folder, opened part by part. No link is followed, even one that another process creates meanwhile."""

import contextlib
import errno
import os
from typing import Any

from tokpress.errors import TokpressError

Parts = tuple[bytes, ...]
#: errors of the system where a file or a link has the name of a folder
NOT_A_FOLDER = (errno.ENOTDIR, errno.ELOOP)
_RELATIVE = os.open in os.supports_dir_fd
_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
#: number of open folders, those used last; on the way to a deep folder, every 64th level is one of them
MAX_OPEN, STRIDE = 48, 64


class Tree:
    """One open folder, and a cache of open folders below it. Raises OSError where a folder cannot be opened."""

    def __init__(self, root: str) -> None:
        if not _RELATIVE:
            raise TokpressError("pack and unpack need a system that opens files relative to folders; this one does not")
        self._root = os.open(root, _FLAGS)
        self._open: dict[Parts, int] = {}  # in the order of their last use

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *error: Any) -> None:
        for folder in (*self._open.values(), self._root):
            os.close(folder)

    def reach(self, parts: Parts, make: bool = False) -> int:
        """The descriptor of a folder, valid until the next call. make: create missing folders."""
        if not parts:
            return self._root
        if parts in self._open:
            self._open[parts] = self._open.pop(parts)
            return self._open[parts]
        ancestor = max((path for path in self._open if parts[: len(path)] == path), key=len, default=())
        folder, is_kept = self._open.get(ancestor, self._root), True
        try:
            for depth in range(len(ancestor) + 1, len(parts) + 1):
                below = _into(folder, parts[depth - 1], make)
                if not is_kept:
                    os.close(folder)
                folder, is_kept = below, depth == len(parts) or depth % STRIDE == 0
                if is_kept:
                    self._keep(parts[:depth], folder)
        except BaseException:
            if not is_kept:
                os.close(folder)
            raise
        return folder

    def _keep(self, parts: Parts, folder: int) -> None:
        self._open[parts] = folder
        if len(self._open) > MAX_OPEN:
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
