"""Files and folders that nobody else can have written: those of this user, in folders that others cannot change."""

import os
import stat

#: what lets others write
OTHERS = stat.S_IWGRP | stat.S_IWOTH


def is_own(path: str) -> bool:
    """Whether this user owns it, and no one else may write to it. A link is not followed: it is no file of one's own."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return _mine(found) and not stat.S_ISLNK(found.st_mode)


def make(folder: str) -> str:
    """Make a folder, with those above it, for this user alone: gives its path without links. Raises OSError where somebody else
    can change what is in it."""
    missing = []
    while not os.path.lexists(folder):
        folder, name = os.path.split(folder)
        missing.append(name)
    folder = os.path.realpath(folder)
    _check(folder, inside=not missing)
    for name in reversed(missing):
        folder = os.path.join(folder, name)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:  # another process has been quicker
            _check(folder, inside=True)
    return folder


def _mine(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or (found.st_uid == os.geteuid() and not found.st_mode & OTHERS)


def _check(folder: str, inside: bool) -> None:
    """`inside`: test the folder itself too, not only those above it. Each folder above must belong to this user or root, and be
    writable by its owner alone or have the sticky bit."""
    if not hasattr(os, "geteuid"):
        return
    if inside and not _mine(os.stat(folder)):
        raise OSError(f"{folder} belongs to somebody else, or others can write to it")
    above = os.path.dirname(folder) if inside else folder
    while True:
        found = os.stat(above)
        guarded = not found.st_mode & OTHERS or found.st_mode & stat.S_ISVTX
        if found.st_uid not in (0, os.geteuid()) or not guarded:
            raise OSError(f"{above} belongs to somebody else, or others can write to it")
        if above == os.path.dirname(above):
            return
        above = os.path.dirname(above)
