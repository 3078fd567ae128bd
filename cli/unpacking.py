"""Writes the items of an archive below one folder."""

import os
import secrets
import stat
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from heapq import merge
from typing import TYPE_CHECKING

from tokpress.container.varint import ADVICE
from tokpress.errors import TokpressError

from . import signals
from .output import FULL, NO_LINKS, PREFIX, OutputError, rename
from .progress import Progress, counted
from .targets import Key, file_keys
from .terminal import note
from .tree import NOT_A_FOLDER, Parts, Tree
from .walk import to_bytes

if TYPE_CHECKING:
    from tokpress.codec.archive import Archive, Entry, ItemKind

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    archive: str
    names: tuple[str, ...]
    output: str
    listing: bool
    force: bool
    preserve_permissions: bool
    no_same_owner: bool
    models: tuple[str, ...]
    kernel: str
    quiet: bool
    verbose: bool

    @property
    def sets_owners(self) -> bool:
        """Only root may give files away."""
        return not self.no_same_owner and hasattr(os, "geteuid") and os.geteuid() == 0


class Unpacking:
    """Writes items below one folder: folders and files in the order of the archive, then hard links, then symbolic links, so that
    nothing is written through a link. Folders get their permission bits and times last: some bits forbid to put files in."""

    def __init__(self, settings: Settings, archive: "Archive", tree: Tree, read: set[Key], progress: Progress) -> None:
        """read: files that the command reads, which are not replaced."""
        self._progress, self._reported = progress, 0
        self._settings, self._archive, self._tree, self._read = settings, archive, tree, read
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self.files = self.bytes = self._failures = 0
        self._lost: dict[str, list[str]] = {}  # reason → names of damaged files
        self._folders, self._identities = (
            array("Q"),
            array("Q"),
        )  # of created folders: numbers; device and inode of each
        #: files with hard links → where they were written, once they are
        self._written: dict[int, Parts | None] = {}

    def report(self, done: int) -> None:
        """done: bytes of the current frame. Files before are written; a frame may hold several files."""
        self._reported = max(self._reported, self.bytes + done)
        self._progress.report(self._reported)

    def write(self, numbers: Sequence[int]) -> None:
        from tokpress.codec.archive import ItemKind

        links = self._of_kind(numbers, ItemKind.HARDLINK)
        writers = self._writers(numbers, links)
        self._written = dict.fromkeys(writers)
        try:
            for number in sorted(self._of_kind(numbers, ItemKind.FOLDER), key=self._depth):
                self._try(number, self._folder)
            files = (n for n in self._of_kind(numbers, ItemKind.FILE) if n not in writers)
            for number in merge(files, sorted(writers)):  # in the order of their bytes: each frame is decoded once
                self._try(writers.get(number, number), self._file)
            for number in links:
                if writers[self._archive.file(number)] != number:
                    self._try(number, self._hard_link)
            for number in self._of_kind(numbers, ItemKind.SYMLINK):
                self._try(number, self._symlink)
        finally:
            self._finish_folders()

    def _depth(self, number: int) -> int:
        """Of a folder: an outer one may come after an inner one where archives were joined."""
        return self._archive.numbered(number).name.count("/")

    def _of_kind(self, numbers: Sequence[int], kind: "ItemKind") -> Sequence[int]:
        return array("Q", (n for n in numbers if self._archive.kind(n) == kind))

    def _writers(self, numbers: Sequence[int], links: Sequence[int]) -> dict[int, int]:
        """File with hard links → the item that is written with its bytes: the file, or its first link where the file is not chosen."""
        writers: dict[int, int] = {}
        for number in links:
            writers.setdefault(self._archive.file(number), number)
        return writers | {n: n for n in numbers if n in writers}

    def failures(self) -> list[str]:
        """One sentence for each reason why files are lost, and for other failures."""
        archive, sentences = self._settings.archive, []
        for reason, names in self._lost.items():
            files = f"{len(names):,} files, from {names[0]} to {names[-1]}, are" if len(names) > 1 else f"{names[0]} is"
            sentences.append(f"{archive}: {files} lost: {reason}")
        if lost := sum(map(len, self._lost.values())):
            sentences.append(f"{archive}: {counted(lost, 'damaged file')} not written: get an undamaged copy")
        if self._failures:
            items = counted(self._failures, "item")
            sentences.append(f"{archive}: {items} could not be written unchanged: see the messages above")
        return sentences

    def _try(self, number: int, step: Callable[["Entry", Parts], None], is_named: bool = True) -> None:
        """One item, which -v names. After a failure the others go on, except on a full disk."""
        signals.check()
        entry = self._archive.numbered(number)
        target = os.path.join(self._settings.output, entry.name)
        try:
            step(entry, tuple(to_bytes(entry.name).split(b"/")))
            if self._settings.verbose and is_named:
                note(entry.name)
        except OutputError as error:
            self._fail(f"{target}: {error}")
        except TokpressError as error:
            self._lost.setdefault(str(error).removesuffix(f": {ADVICE}"), []).append(entry.name)
        except OSError as error:
            if error.errno in FULL:
                advice = "earlier files are complete: free some space, or choose another place with -o"
                raise OutputError(f"{target}: {error.strerror}: {advice}") from error
            in_the_way = "a file or a link stands in the place of a folder: remove it, or choose another folder with -o"
            self._fail(f"{target}: {in_the_way if error.errno in NOT_A_FOLDER else error.strerror}")

    def _fail(self, message: str) -> None:
        self._failures += 1
        note(f"tokpress: {message}")

    def _finish_folders(self) -> None:
        """Permission bits and times of created folders, also after Ctrl-C."""
        with signals.held():
            for i in reversed(range(len(self._folders))):
                self._try(
                    self._folders[i], partial(self._finish_folder, self._identities[2 * i : 2 * i + 2]), is_named=False
                )

    # --- one item each ---------------------------------------------------------------------------

    def _folder(self, entry: "Entry", parts: Parts) -> None:
        """An existing folder keeps its permission bits and time."""
        parent = self._tree.reach(parts[:-1], make=True)
        try:
            os.mkdir(parts[-1], 0o700, dir_fd=parent)  # until it is filled
        except FileExistsError:
            self._tree.reach(parts)
            return
        status = os.fstat(self._tree.reach(parts))
        self._folders.append(entry.number)
        self._identities.extend((status.st_dev, status.st_ino))

    def _finish_folder(self, identity: Sequence[int], entry: "Entry", parts: Parts) -> None:
        parent = self._tree.reach(parts[:-1])
        status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        folder = self._tree.reach(parts)
        if (status.st_dev, status.st_ino) != tuple(identity) or not os.path.samestat(status, os.fstat(folder)):
            raise OutputError("was replaced while files were written to it: its mode and time are not set")
        self._set_attributes(folder, entry, status)

    def _file(self, entry: "Entry", parts: Parts) -> None:
        folder, name = self._target(parts)
        with self._temporary(folder) as temporary:
            with signals.held():
                number = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
            with os.fdopen(number, "wb") as file:
                for piece in self._archive.pieces(entry):
                    file.write(piece)
                    self.report(file.tell())
                file.flush()
                self._set_attributes(number, entry, os.fstat(number))
                self._publish(folder, temporary, name, number)
        if (file_number := self._archive.file(entry.number)) in self._written:
            self._written[file_number] = parts
        self.files, self.bytes = self.files + 1, self.bytes + entry.size

    def _hard_link(self, entry: "Entry", parts: Parts) -> None:
        if not (file := self._written.get(self._archive.file(entry.number))):
            raise OutputError("the file that it links to could not be written")
        other = os.dup(self._tree.reach(file[:-1]))
        try:
            folder, name = self._target(parts)
            with self._temporary(folder) as temporary:
                with signals.held():
                    os.link(file[-1], temporary, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)
                self._publish(folder, temporary, name)
        except OSError as error:
            if error.errno in NO_LINKS:
                raise OutputError("this place has no hard links: unpack it by its name, as a file") from error
            raise
        finally:
            os.close(other)
        self.files += 1

    def _symlink(self, entry: "Entry", parts: Parts) -> None:
        folder, name = self._target(parts)
        with self._temporary(folder) as temporary:
            with signals.held():
                os.symlink(to_bytes(entry.target), temporary, dir_fd=folder)
            status = os.fstat(folder)
            is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if (
                self._settings.sets_owners and is_private
            ):  # elsewhere another process may exchange it for a file of root
                with suppress(OSError):
                    os.chown(temporary, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
            with suppress(OSError, NotImplementedError):  # not every file system has times of links
                os.utime(temporary, ns=_times(entry), dir_fd=folder, follow_symlinks=False)
            self._publish(folder, temporary, name)

    # --- steps -----------------------------------------------------------------------------------

    def _set_attributes(self, number: int, entry: "Entry", status: os.stat_result) -> None:
        """Owner and group, permission bits and time of an open file or folder. The owner comes before the bits that are meant for it."""
        if self._settings.sets_owners and (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
            try:
                os.fchown(number, entry.uid, entry.gid)
            except OSError as error:  # in some containers
                target = os.path.join(self._settings.output, entry.name)
                self._fail(
                    f"{target}: belongs to root: its owner cannot be set ({error.strerror}): unpack with --no-same-owner"
                )
        os.fchmod(number, self._mode(entry, os.fstat(number)))
        os.utime(number, ns=_times(entry))

    def _mode(self, entry: "Entry", status: os.stat_result) -> int:
        """Without -p, as the umask wants it, and the further bits as for a new file. With -p, a bit that lends the rights of an owner or a
        group is only for those that the archive names."""
        if not self._settings.preserve_permissions:
            return entry.mode & 0o777 & ~self._umask | stat.S_IMODE(status.st_mode) & 0o7000
        lends_other = stat.S_ISUID * (status.st_uid != entry.uid) | stat.S_ISGID * (status.st_gid != entry.gid)
        return entry.mode & ~lends_other

    def _target(self, parts: Parts) -> tuple[int, bytes]:
        """(open folder of an item, its name there). Raises OutputError where it exists and is not to be replaced."""
        folder = self._tree.reach(parts[:-1], make=True)
        with suppress(FileNotFoundError):
            existing = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if self._read.intersection(file_keys(existing)):
                raise OutputError("this command reads it too: choose another folder with -o")
            if not self._settings.force:
                raise _exists()
        return folder, parts[-1]

    @contextmanager
    def _temporary(self, folder: int) -> Iterator[bytes]:
        """A new name; a file that still has it at the end is removed."""
        name = os.fsencode(PREFIX + secrets.token_hex(8))
        try:
            yield name
        finally:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)

    def _publish(self, folder: int, temporary: bytes, name: bytes, number: int | None = None) -> None:
        """Give a finished file its name; without -f only if the name is free. number: its descriptor, to detect that another
        process replaced it meanwhile."""
        signals.check()
        with signals.held():
            self._check_same(folder, temporary, number)
            try:
                rename(folder, temporary, name, self._settings.force)
            except FileExistsError:
                raise _exists() from None
            self._check_same(folder, name, number)

    def _check_same(self, folder: int, name: bytes, number: int | None) -> None:
        if number is not None:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not os.path.samestat(os.fstat(number), status):
                raise OutputError("was replaced by another process while it was written: unpack it again")


def _exists() -> OutputError:
    return OutputError("exists already: choose another folder with -o, or replace it with -f")


def _times(entry: "Entry") -> tuple[int, int]:
    """Of the last access, now, and of the last change; the system takes the nearest that the file system has."""
    return time.time_ns(), entry.mtime * 10**9 + entry.nanoseconds
