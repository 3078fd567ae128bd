"""tokpress pack"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import click

from tokpress.errors import TokpressError

from . import options, streams
from . import output as targets
from .main import Failure, describe
from .place import Key, check_not_read, identity, read_beside
from .progress import Progress, rates, speed
from .terminal import note
from .tree import Parts, Tree

if TYPE_CHECKING:
    from tokpress.codec.archive import Item

#: with --content, files up to this size are looked into
MAX_CONTENT = 1 << 26
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class Found(NamedTuple):
    """What is to be packed: where it is, for messages; its name in the archive; its name in an open folder, and all names there."""

    path: str
    name: str
    status: os.stat_result
    leaf: bytes
    folder: int | None
    beside: set[bytes]


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.Name(), metavar="FILE|DIR...")
@click.option("-o", "--output", required=True, metavar="ARCHIVE", help="The .tokp file to write.")
@click.option(
    "--content", is_flag=True, help="Store what PNG, FLAC … files show, as PPM, TIFF or WAV; others as they are."
)
@click.option(
    "--group-size", type=options.Size(), default="128K", show_default=True, metavar="SIZE",
    help="Bytes of files coded together. Larger groups are smaller on disk, but reading one file decodes its whole group.",
)  # fmt: skip
@options.all_of(options.overwrite, options.model, options.kernel, options.threads, options.quiet, options.verbose)
@click.pass_context
def pack(ctx, files, output, content, group_size, force, model, kernel, quiet, verbose):
    """Put FILES, and everything below DIRs, into one ARCHIVE, where files of one kind help each other.

    Small files gain the most. `tokpress unpack` gives all of them back, or some. Folders, links, permission bits, times and the
    numbers of owners and groups are kept, as tar keeps them. What cannot be kept is told, and the exit code is 1. The archive may be
    read by whoever may read everything in it, less what the umask forbids.
    """
    from tokpress.codec import archive, stream
    from tokpress.models import store

    if streams.is_stdout(output):
        raise click.UsageError("an archive is written to a file")
    named = _named(files)
    targets.check(output, "-", force)
    check_not_read(output, [*(path for path, _ in named), *read_beside(ctx, [model] if model else [])])
    chosen, begin = stream.Options([store.load(model)] if model else None, kernel=kernel), time.monotonic()
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(output, None, quiet))
        umask = os.umask(0o077)  # until it is known who may read the archive, nobody else may
        try:
            out = stack.enter_context(streams.destination(output, force))
        finally:
            os.umask(umask)
        packing = Packing(output, out, content, max(group_size, chosen.frame_size), quiet)
        summary = archive.write(packing.items(named), out, chosen, group_size, progress.report)
        if not packing.count:
            raise TokpressError(f"{output}: there is nothing to pack: nothing could be read")
        packing.share(umask)
    lost = packing.left_out
    if any(lost):
        what = ", ".join(sorted({each for some in lost for each in some}))
        note(f"{output}: left out of {sum(map(bool, lost)):,} files: {what}", quiet)
    told = f"{packing.bytes:,} → {summary.file_bytes:,} bytes, {rates(packing.bytes, summary.file_bytes)}"
    note(f"{output}: {packing.files:,} files, {told}, {speed(packing.bytes, time.monotonic() - begin)}", quiet)
    if packing.failures:
        note(f"tokpress: {output}: {packing.failures:,} things could not be packed as they are: see above")
        ctx.exit(1)


def _named(files: tuple[str, ...]) -> list[tuple[str, str]]:
    """(what was given, its name in the archive). Raises TokpressError where two have one name: before the work, not after it."""
    first: dict[str, str] = {}
    named = []
    for path in files:
        name = os.path.basename(os.path.normpath(path))
        if name in ("", ".", ".."):
            name = os.path.basename(os.path.realpath(path))
        if not name:
            raise TokpressError(f"{path}: has no name of its own: pack the files and folders in it")
        name = os.fsencode(name).decode("utf-8", "surrogateescape")
        if name in first:
            raise TokpressError(
                f"{first[name]} and {path} would both be called {name} in the archive: rename one, or pack a folder that "
                "holds both"
            )
        first[name] = path
        named.append((path, name))
    return named


class Packing:
    """Files and folders as items of an archive. What cannot be one is told, and counted in `failures`."""

    def __init__(self, output: str, out: BinaryIO, content: bool, most: int, quiet: bool) -> None:
        self._output, self._content, self._most, self._quiet = output, content, most, quiet
        self.count = self.files = self.bytes = self.failures = 0
        self.left_out: list[list[str]] = []  # with --content, of each file what is not in the pixels or samples
        self._first: dict[Key, str] = {}  # of files with several names, the one that was packed
        self._number: int | None = None
        self._group: int | None = None  # of the archive, if it is a file: its descriptor, and its group
        self._told_own = False
        self._own: set[Key] = set()  # the archive that is written, and the one that it replaces
        self._shared = 0o077  # the permission bits that all files in it grant
        #: a file of another kind in the archive's place, which is not to be lost
        self._other: Key | None = None
        with contextlib.suppress(OSError):
            former = os.lstat(output)
            self._own.add(identity(former))
            if stat.S_ISREG(former.st_mode) and not _is_tokp(output):
                self._other = identity(former)
        with contextlib.suppress(OSError, AttributeError):  # what is no file has no number
            if stat.S_ISREG((status := os.fstat(number := out.fileno())).st_mode):
                self._number, self._group = number, status.st_gid
                self._own.add(identity(status))

    def failed(self, error: Exception, path: str) -> None:
        self.failures += 1
        note(f"tokpress: {describe(error, path)}")

    def items(self, named: list[tuple[str, str]]) -> Iterator[Any]:
        for found in _found(named, self.failed):
            try:
                with contextlib.ExitStack() as open_files:
                    if item := self._item(found, open_files):
                        yield item
                        self.count += 1
            except OSError as error:  # the others go on
                self.failed(type(error)(error.errno, f"{error.strerror}, so it is left out"), found.path)
            except TokpressError as error:
                self.failed(error, found.path)

    def _item(self, found: Found, open_files: contextlib.ExitStack) -> Any:
        from tokpress.codec.archive import Item, ItemKind
        from tokpress.codec.archive.names import parts_of, to_text

        parts_of(found.name)  # raises
        status = found.status
        if stat.S_ISDIR(status.st_mode):
            if _too_deep(found.name):
                raise targets.OutputError(f"{found.path}: its name is too long, so it and all in it is left out")
            self._narrow(status, (status.st_mode & 0o011) << 2)
            return _with_attributes(Item(found.name, kind=ItemKind.FOLDER), status)
        if stat.S_ISLNK(status.st_mode):
            target = to_text(os.fsencode(os.readlink(found.leaf, dir_fd=found.folder)))
            return Item(found.name, kind=ItemKind.SYMLINK, target=target)
        if not stat.S_ISREG(status.st_mode):
            raise targets.OutputError(
                f"{found.path}: is {_special(status.st_mode)}, and left out: an archive holds files"
            )
        if identity(status) == self._other:
            raise Failure(f"{self._output}: is one of the files to pack: choose another name with -o")
        if identity(status) in self._own:
            return self._tell_own()
        if (first := self._first.get(identity(status))) and not self._content:
            self.files += 1
            return Item(found.name, kind=ItemKind.HARDLINK, target=first)
        data, size, status = self._read(found, open_files)
        name = found.name
        if self._content:
            name, data = self._shown(found, data)
        if status.st_nlink > 1:
            self._first[identity(status)] = name
        self._narrow(status, status.st_mode)
        self.files, self.bytes = self.files + 1, self.bytes + size
        return _with_attributes(Item(name, data), status)

    def _tell_own(self) -> None:
        """Once, also where it replaces a former one. This is no failure: nobody wants the archive in itself."""
        if not self._told_own:
            note(f"tokpress: {self._output}: the archive itself lies in a folder that is packed, and is left out")
        self._told_own = True

    def _read(self, found: Found, open_files: contextlib.ExitStack) -> tuple[bytes | BinaryIO, int, os.stat_result]:
        """Its bytes, how many, and its mode and time. Where they are many, they are in a temporary file: the file itself may
        grow or shrink while it is packed."""
        with os.fdopen(os.open(found.leaf, _FLAGS, dir_fd=found.folder), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise targets.OutputError(
                    f"{found.path}: was exchanged while it was packed, and is left out: try again"
                )
            most = max(self._most, MAX_CONTENT) if self._content else self._most
            data: bytes | BinaryIO = file.read(most + 1)
            size = len(cast(bytes, data))
            if size > most:
                spool = cast(BinaryIO, open_files.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
                spool.write(cast(bytes, data))
                shutil.copyfileobj(file, spool, 1 << 20)
                data, size = spool, spool.tell()
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            self.failures += 1
            note(
                f"tokpress: {found.path}: changed while it was read: the archive holds {size:,} bytes of it; pack it again"
            )
        return data, size, before

    def _shown(self, found: Found, data: bytes | BinaryIO) -> tuple[str, bytes | BinaryIO]:
        """(name, data) of what a picture or recording shows, or as it is."""
        from tokpress.media import signatures, unwrap

        if not isinstance(data, bytes) or len(data) > MAX_CONTENT:
            note(f"tokpress: {found.path}: is larger than {MAX_CONTENT >> 20} MiB; it is packed as it is", self._quiet)
            return found.name, data
        if not signatures.recognised(data):
            return found.name, data
        try:
            shown, suffix, left_out = unwrap.shown(data)
            name = os.path.splitext(found.name)[0] + suffix if suffix else found.name
            leaf = name.rpartition("/")[2].encode("utf-8", "surrogateescape")
            if name != found.name and leaf in found.beside:
                raise TokpressError(f"another file is called {name} already")
        except TokpressError as error:
            note(f"tokpress: {found.path}: {error}; it is packed as it is", self._quiet)
            return found.name, data
        found.beside.add(leaf)
        self.left_out.append(left_out)
        return name, shown

    def _narrow(self, status: os.stat_result, mode: int) -> None:
        """Whoever may not read this may not read the archive. Its group counts where it is the archive's too."""
        others = 0o007 if mode & 0o004 else 0
        group = 0o070 if mode & (0o040 if status.st_gid == self._group else 0o004) else 0
        self._shared &= others | group

    def share(self, umask: int) -> None:
        """Give the archive, which only its owner could read until now, its permission bits."""
        if self._number is not None:
            os.fchmod(self._number, 0o600 | self._shared & 0o066 & ~umask)


def _found(named: list[tuple[str, str]], failed: Callable[[Exception, str], None]) -> Iterator[Found]:
    """Everything that was given, and everything below folders, a folder before what is in it."""
    beside = {name.encode("utf-8", "surrogateescape") for _, name in named}
    for path, name in named:
        try:
            status = os.lstat(path)
        except OSError as error:
            failed(error, path)
            continue
        yield Found(path, name, status, os.fsencode(path), None, beside)
        if stat.S_ISDIR(status.st_mode):
            try:
                with Tree(path) as tree:
                    yield from _below(tree, path, name, failed)
            except OSError as error:
                failed(error, path)


def _below(tree: Tree, path: str, name: str, failed: Callable[[Exception, str], None]) -> Iterator[Found]:
    left: list[Parts] = [()]
    while left:
        parts = left.pop()
        place = os.path.join(path, *map(os.fsdecode, parts))
        try:
            folder = tree.reach(parts)
            leaves = sorted(map(os.fsencode, os.listdir(folder)))
        except OSError as error:
            failed(type(error)(error.errno, error.strerror), place)
            continue
        beside, below = set(leaves), []
        for leaf in leaves:
            whole = os.path.join(place, os.fsdecode(leaf))
            try:
                status = os.stat(leaf, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                failed(type(error)(error.errno, error.strerror), whole)
                continue
            called = "/".join((name, *(part.decode("utf-8", "surrogateescape") for part in (*parts, leaf))))
            yield Found(whole, called, status, leaf, folder, beside)
            if stat.S_ISDIR(status.st_mode) and not _too_deep(called):
                below.append((*parts, leaf))
        left += reversed(below)


def _too_deep(name: str) -> bool:
    """Whether nothing in a folder of this name can be in an archive."""
    from tokpress.codec.archive.names import MAX_FOLDER_NAME

    return len(name.encode("utf-8", "surrogateescape")) > MAX_FOLDER_NAME


def _special(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no file, folder or link")


def _is_tokp(path: str) -> bool:
    """Whether a file begins as ours do, as a former archive would."""
    from tokpress.container.frames import SYNC

    with open(path, "rb") as file:
        return file.read(len(SYNC)) == SYNC


def _with_attributes(item: "Item", status: os.stat_result) -> "Item":
    """A file or folder with its permission bits, time and owner."""
    seconds = status.st_mtime_ns // 10**9
    return item._replace(mode=stat.S_IMODE(status.st_mode), mtime=seconds, uid=status.st_uid, gid=status.st_gid)
