"""pack --append and --update: an archive that exists already, and the new one that takes its place.

The new items are one more archive behind those of the file. They are written to a copy of the file, which replaces it when it is complete:
a command that fails, or is killed, leaves the file as it was.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from tokpress.errors import FormatError

from . import output, signals
from .main import Failure

if TYPE_CHECKING:
    from tokpress.codec.archive import Entry
    from tokpress.models.model import Model


class NothingNew(Exception):
    """There is nothing to add: the archive is not replaced."""


class Existing:
    """The archive that is added to."""

    def __init__(self, path: str, stream: BinaryIO, models: "list[Model]", kernel: str, replaces: bool) -> None:
        from tokpress.codec.archive import Archive

        self._path, self._stream, self._replaces = path, stream, replaces
        self.status = os.fstat(stream.fileno())
        try:
            self._archive: Archive = Archive(stream, models, kernel)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error

    def is_to_add(self, name: str, status: os.stat_result) -> bool:
        """Whether an item is to be added under this name. Raises Failure where the archive holds another that is not to be replaced."""
        from tokpress.codec.archive import ItemKind

        try:
            entry = self._archive.entry(name)
        except KeyError:
            return True
        if stat.S_ISDIR(status.st_mode) != (entry.kind in (ItemKind.FOLDER, ItemKind.PATH)):
            kinds = "folder", "file or a link"
            here, there = kinds if stat.S_ISDIR(status.st_mode) else reversed(kinds)
            raise Failure(
                f"{self._path}: {name} is a {here} now, but a {there} in the archive: pack it into another one"
            )
        if self._replaces:
            return entry.kind == ItemKind.PATH or _is_newer(status, entry)
        if stat.S_ISDIR(status.st_mode):
            return entry.kind == ItemKind.PATH
        raise Failure(f"{self._path}: holds {name} already: leave it out, or replace older files with --update")

    @contextlib.contextmanager
    def extended(self) -> Iterator[BinaryIO]:
        """A copy of the archive, at its end. It replaces the archive when the `with` ends without an error."""
        with output.create(self._path, force=True) as out:
            self._stream.seek(0)
            while block := self._stream.read(1 << 20):
                signals.check()
                out.write(block)
            yield out
            if not output.unchanged(self.status, os.stat(self._path)):
                raise output.changed(self._path, "nothing is added to it")


def _is_newer(status: os.stat_result, entry: "Entry") -> bool:
    """As tar compares: by whole seconds where the archive holds no others."""
    seconds, nanoseconds = divmod(status.st_mtime_ns, 10**9)
    return (seconds, nanoseconds if entry.nanoseconds else 0) > (entry.mtime, entry.nanoseconds)


@contextlib.contextmanager
def existing(path: str, models: "list[Model]", kernel: str, replaces: bool) -> Iterator[Existing]:
    """The archive of this name, or the one that a link of this name leads to."""
    path = os.path.realpath(path)
    with open(path, "rb") as stream:
        yield Existing(path, stream, models, kernel, replaces)
