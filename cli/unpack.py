"""tokpress unpack"""

import os
import secrets
import stat
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from heapq import merge
from typing import TYPE_CHECKING

import click

from tokpress.container.varint import ADVICE
from tokpress.errors import TokpressError

from . import jobs, options, signals
from . import output as targets
from .place import Key, file_keys, read_beside
from .progress import size
from .terminal import note, say
from .tree import IN_THE_WAY, Parts, Tree

if TYPE_CHECKING:
    from tokpress.codec.archive import Archive, Entry

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@click.command()
@click.argument("archive", type=options.Name(), metavar="ARCHIVE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-o",
    "--output",
    type=options.Name(),
    default=".",
    metavar="DIR",
    help="The folder to write to.  [default: this one]",
)
@click.option("-l", "--list", "listing", is_flag=True, help="Tell what is in it, and write nothing.")
@click.option("--no-same-owner", is_flag=True, help="As root: do not restore owners and groups.")
@options.all_of(options.overwrite, options.models, options.kernel, options.threads, options.quiet, options.verbose)
@click.pass_context
def unpack(ctx, archive, names, output, listing, no_same_owner, force, models, kernel, quiet, verbose):
    """Write the files of an ARCHIVE made by `tokpress pack`: all of them, or those NAMED, and what is in folders NAMED.

    What cannot be written is told, and the exit code is 1; the rest is written. Files that exist are kept without -f. Nothing is
    written outside of DIR, nor through a link. For root, files and folders get the owners and groups that they had, by number.
    """
    from tokpress.codec.archive import Archive
    from tokpress.models import store

    with jobs.reading(archive, seekable=True) as stream:
        held = Archive(stream, [store.load(name) for name in models], kernel, keep_going=True)
        try:
            chosen = held.within([_asked(name) for name in names]) if names else held.numbers()
        except KeyError as error:
            raise TokpressError(f"{archive}: holds no {error.args[0]}; unpack -l tells what it holds") from None
        failures = []
        if listing:
            for entry in held.entries(chosen):
                say(f"{entry.size:>12,}  {_listed(entry)}")
        else:
            _make_folder(output)
            with Tree(output) as tree:
                owners = not no_same_owner and hasattr(os, "geteuid") and os.geteuid() == 0
                kept = {key for path in read_beside(ctx, models) for key in file_keys(os.stat(path))}
                kept |= set(file_keys(os.fstat(stream.fileno())))
                work = Unpacking(held, kept, tree, output, force, owners)
                work.all(chosen)
            note(f"{archive}: {work.files:,} files, {size(work.bytes)}", quiet)
            failures = work.failures(archive)
    if held.damage:
        failures.append(f"{archive}: {held.damage}; what comes after is lost")
    for failure in failures:
        note(f"tokpress: {failure}")
    if failures:
        ctx.exit(1)


def _make_folder(output: str) -> None:
    try:
        os.makedirs(output, exist_ok=True)
    except FileExistsError:
        raise targets.OutputError(f"{output}: is no folder: name one with -o") from None


def _asked(name: str) -> str:
    """A name as archives have it: bytes of UTF-8, without the slash that a shell's completion puts behind folders."""
    return os.fsencode(name).decode("utf-8", "surrogateescape").rstrip("/") or name


def _listed(entry: "Entry") -> str:
    """As ls and tar show folders and links."""
    after = {"FOLDER": "/", "SYMLINK": f" -> {entry.target}", "HARDLINK": f" = {entry.target}"}
    return entry.name + after.get(entry.kind.name, "")


class Unpacking:
    """Writes items below one folder: folders and files in the order of the archive, then hard links, then symbolic links, so that
    nothing is written through one; permission bits and times of folders last, since nothing can be put into some."""

    def __init__(self, held: "Archive", kept: set[Key], tree: Tree, output: str, force: bool, owners: bool) -> None:
        """kept: files that are read, the archive for one. owners: whether items get the owners that they had."""
        self._held, self._kept, self._tree, self._output = held, kept, tree, output
        self._force, self._owners = force, owners
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self.files = self.bytes = self._failures = 0
        self._lost: dict[str, list[str]] = {}  # reason → names, of files whose bytes are damaged
        self._folders, self._identities = array("Q"), array("Q")  # that were made: numbers; device and inode of each
        #: files that hard links are other names of, and where they were written
        self._linked: set[int] = set()
        self._written: dict[int, Parts] = {}

    def all(self, numbers: Sequence[int]) -> None:
        from tokpress.codec.archive import ItemKind

        links = array("Q", (n for n in numbers if self._held.kind(n) == ItemKind.HARDLINK))
        #: file → the entry that is written with its bytes: the file itself, or the first link to it where only links were chosen
        writers: dict[int, int] = {}
        for number in links:
            writers.setdefault(self._held.file(number), number)
        writers |= {n: n for n in numbers if n in writers}
        self._linked = set(writers)
        try:
            for number in numbers:
                if self._held.kind(number) == ItemKind.FOLDER:
                    self._try(number, self._folder)
            files = (n for n in numbers if self._held.kind(n) == ItemKind.FILE and n not in writers)
            for number in merge(files, sorted(writers)):  # in the order of their bytes: each frame is decoded once
                self._try(writers.get(number, number), self._file)
            for number in links:
                if writers[self._held.file(number)] != number:
                    self._try(number, self._hard_link)
            for number in numbers:
                if self._held.kind(number) == ItemKind.SYMLINK:
                    self._try(number, self._symlink)
        finally:
            with signals.held():  # also if we are asked to stop
                for i in reversed(range(len(self._folders))):
                    self._try(self._folders[i], partial(self._finish_folder, self._identities[2 * i : 2 * i + 2]))

    def failures(self, archive: str) -> list[str]:
        """What to say at the end."""
        sentences = []
        for reason, names in self._lost.items():
            which = f"{len(names):,} files, from {names[0]} to {names[-1]}, are" if len(names) > 1 else f"{names[0]} is"
            sentences.append(f"{archive}: {which} lost: {reason}")
        if broken := sum(map(len, self._lost.values())):
            sentences.append(f"{archive}: {broken:,} files are damaged and were not written: get an undamaged copy")
        if self._failures:
            sentences.append(f"{archive}: {self._failures:,} items could not be written as they are: see above")
        return sentences

    def _try(self, number: int, step: Callable[["Entry", Parts], None]) -> None:
        """One item. What goes wrong is told, and the others go on, unless there is no room for them."""
        signals.check()
        entry = self._held.numbered(number)
        target = os.path.join(self._output, entry.name)
        try:
            step(entry, tuple(_bytes(entry.name).split(b"/")))
        except targets.OutputError as error:
            self._fail(f"{target}: {error}")
        except TokpressError as error:
            self._lost.setdefault(str(error).removesuffix(f": {ADVICE}"), []).append(entry.name)
        except OSError as error:
            if error.errno in targets.FULL:
                raise targets.OutputError(
                    f"{target}: {error.strerror}: what was written before it is whole; free some space, or choose another place with -o"
                ) from error
            in_the_way = error.errno in IN_THE_WAY
            self._fail(
                f"{target}: {'a file or a link stands where a folder should be' if in_the_way else error.strerror}"
            )

    def _fail(self, message: str) -> None:
        self._failures += 1
        note(f"tokpress: {message}")

    # --- one item each ---------------------------------------------------------------------------

    def _folder(self, entry: "Entry", parts: Parts) -> None:
        """One that is there already stays as it is."""
        parent = self._tree.reach(parts[:-1], make=True)
        try:
            os.mkdir(parts[-1], 0o700, dir_fd=parent)  # until it is filled
        except FileExistsError:
            self._tree.reach(parts)
            return
        made = os.fstat(self._tree.reach(parts))
        self._folders.append(entry.number)
        self._identities.extend((made.st_dev, made.st_ino))

    def _finish_folder(self, identity: Sequence[int], entry: "Entry", parts: Parts) -> None:
        parent = self._tree.reach(parts[:-1])
        status = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        folder = self._tree.reach(parts)
        if (status.st_dev, status.st_ino) != tuple(identity) or not os.path.samestat(status, os.fstat(folder)):
            raise targets.OutputError("was exchanged while files were put into it: its mode and time are not set")
        self._set_attributes(folder, entry, status)

    def _file(self, entry: "Entry", parts: Parts) -> None:
        folder, name = self._place(parts)
        with self._temporary(folder) as temporary:
            with signals.held():
                number = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
            with os.fdopen(number, "wb") as file:
                for piece in self._held.pieces(entry):
                    file.write(piece)
                    signals.check()
                file.flush()
                self._set_attributes(number, entry, os.fstat(number))
                self._publish(folder, temporary, name, number)
        if (file_number := self._held.file(entry.number)) in self._linked:
            self._written[file_number] = parts
        self.files, self.bytes = self.files + 1, self.bytes + entry.size

    def _hard_link(self, entry: "Entry", parts: Parts) -> None:
        if not (file := self._written.get(self._held.file(entry.number))):
            raise targets.OutputError("the file that it is another name of could not be written")
        other = os.dup(self._tree.reach(file[:-1]))
        try:
            folder, name = self._place(parts)
            with self._temporary(folder) as temporary:
                with signals.held():
                    os.link(file[-1], temporary, src_dir_fd=other, dst_dir_fd=folder, follow_symlinks=False)
                self._publish(folder, temporary, name)
        except OSError as error:
            if error.errno in targets.NO_LINKS:
                raise targets.OutputError(
                    "there can be no hard links here: unpack it by its name, as a file"
                ) from error
            raise
        finally:
            os.close(other)
        self.files += 1

    def _symlink(self, entry: "Entry", parts: Parts) -> None:
        folder, name = self._place(parts)
        if not self._force:
            try:
                return os.symlink(_bytes(entry.target), name, dir_fd=folder)
            except FileExistsError:
                raise _exists() from None
        with self._temporary(folder) as temporary:
            with signals.held():
                os.symlink(_bytes(entry.target), temporary, dir_fd=folder)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

    # --- steps -----------------------------------------------------------------------------------

    def _set_attributes(self, number: int, entry: "Entry", status: os.stat_result) -> None:
        """Owner and group, permission bits and time of an open file or folder: the bits last, for the owner they are meant for."""
        if self._owners and (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
            try:
                os.fchown(number, entry.uid, entry.gid)
            except OSError as error:  # in some containers
                target = os.path.join(self._output, entry.name)
                self._fail(
                    f"{target}: stays root's: its owner cannot be set ({error.strerror}); --no-same-owner does not try"
                )
        os.fchmod(number, entry.mode & 0o777 & ~self._umask | stat.S_IMODE(status.st_mode) & 0o7000)
        _set_time(number, entry)

    def _place(self, parts: Parts) -> tuple[int, bytes]:
        """(the open folder of an item, its name there). Raises OutputError where it exists and may not be replaced."""
        folder = self._tree.reach(parts[:-1], make=True)
        with suppress(FileNotFoundError):
            there = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            if self._kept.intersection(file_keys(there)):
                raise targets.OutputError("is read by this command too: choose another folder with -o")
            if not self._force:
                raise _exists()
        return folder, parts[-1]

    @contextmanager
    def _temporary(self, folder: int) -> Iterator[bytes]:
        """A name that nothing has, and nothing keeps."""
        name = os.fsencode(targets.PREFIX + secrets.token_hex(8))
        try:
            yield name
        finally:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)

    def _publish(self, folder: int, temporary: bytes, name: bytes, number: int | None = None) -> None:
        """Give a finished file its name: at once, and without -f only if nothing else has it. number: its descriptor, where
        somebody may have exchanged it meanwhile."""
        signals.check()
        with signals.held():
            self._check_same(folder, temporary, number)
            try:
                targets.rename(folder, temporary, name, self._force)
            except FileExistsError:
                raise _exists() from None
            self._check_same(folder, name, number)

    def _check_same(self, folder: int, name: bytes, number: int | None) -> None:
        if number is not None:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not os.path.samestat(os.fstat(number), found):
                raise targets.OutputError("was exchanged while it was written: it is not what the archive holds")


def _exists() -> targets.OutputError:
    return targets.OutputError("exists already: choose another folder with -o, or replace it with -f")


def _set_time(number: int, entry: "Entry") -> None:
    """Of an open file or folder; a time that the file system does not have becomes the nearest one."""
    os.utime(number, ns=(time.time_ns(), entry.mtime * 10**9))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
