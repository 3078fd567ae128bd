"""The files, folders and links that a call packs, in order: a folder comes before its content."""

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tokpress.errors import TokpressError

from .tree import Parts, Tree

#: called with an error, and the path where it happened
Failed = Callable[[Exception, str], None]


class DiskItem(NamedTuple):
    """A file, folder or link on disk."""

    #: for messages
    path: str
    #: in the archive
    name: str
    status: os.stat_result
    #: its name in the open folder, whose descriptor is `folder`; None: the working directory
    leaf: bytes
    folder: int | None
    #: all names in that folder
    siblings: set[bytes]


def archive_names(files: tuple[str, ...]) -> list[tuple[str, str]]:
    """(path, name in the archive) of each input. Raises TokpressError where two inputs have one name."""
    paths: dict[str, str] = {}
    for path in files:
        name = os.path.basename(os.path.normpath(path))
        if name in ("", ".", ".."):
            name = os.path.basename(os.path.realpath(path))
        if not name:
            raise TokpressError(f"{path}: has no name of its own: name the files and folders in it")
        name = to_text(os.fsencode(name))
        if name in paths:
            raise TokpressError(
                f"{paths[name]} and {path} would both be called {name} in the archive: rename one, or pack a folder that "
                "holds both"
            )
        paths[name] = path
    return [(path, name) for name, path in paths.items()]


def walk(named: list[tuple[str, str]], failed: Failed) -> Iterator[DiskItem]:
    """Everything that is named, and everything below folders."""
    siblings = {to_bytes(name) for _, name in named}
    for path, name in named:
        try:
            status = os.lstat(path)
        except OSError as error:
            failed(error, path)
            continue
        yield DiskItem(path, name, status, os.fsencode(path), None, siblings)
        if stat.S_ISDIR(status.st_mode):
            try:
                with Tree(path) as tree:
                    yield from _below(tree, path, name, failed)
            except OSError as error:
                failed(error, path)


def _below(tree: Tree, root: str, name: str, failed: Failed) -> Iterator[DiskItem]:
    pending: list[Parts] = [()]
    while pending:
        parts = pending.pop()
        folders = []
        for item in _children(tree, parts, os.path.join(root, *map(os.fsdecode, parts)), name, failed):
            yield item
            if stat.S_ISDIR(item.status.st_mode) and not is_too_deep(item.name):
                folders.append((*parts, item.leaf))
        pending += reversed(folders)


def _children(tree: Tree, parts: Parts, path: str, name: str, failed: Failed) -> Iterator[DiskItem]:
    """What lies in one folder, sorted. name: that of the root in the archive."""
    try:
        folder = tree.reach(parts)
        leaves = sorted(map(os.fsencode, os.listdir(folder)))
    except OSError as error:
        failed(type(error)(error.errno, error.strerror), path)
        return
    siblings = set(leaves)
    for leaf in leaves:
        child = os.path.join(path, os.fsdecode(leaf))
        try:
            status = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            failed(type(error)(error.errno, error.strerror), child)
            continue
        yield DiskItem(child, "/".join((name, *map(to_text, (*parts, leaf)))), status, leaf, folder, siblings)


def is_too_deep(name: str) -> bool:
    """Whether the name of a folder leaves no room for a name in it."""
    from tokpress.codec.archive.names import MAX_FOLDER_NAME

    return len(to_bytes(name)) > MAX_FOLDER_NAME


def to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
