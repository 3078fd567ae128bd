"""tokpress pack: find files and folders, write them as items of an archive, report."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from tokpress.errors import TokpressError

from . import catalog, options, streams
from .main import Failure, describe
from .output import OutputError, check
from .progress import Progress, counted, rates, speed
from .targets import Key, auxiliary_files, check_not_read, identity
from .terminal import note
from .walk import DiskItem, archive_names, is_too_deep, to_bytes, walk

if TYPE_CHECKING:
    from tokpress.codec.archive import Item

#: with --content, files up to this size are decoded
MAX_CONTENT = 1 << 26
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: tuple[str, ...]
    output: str
    force: bool
    content: bool
    group_size: int
    model: str | None
    kernel: str
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if streams.is_stdout(self.output):
            raise click.UsageError("-o names a file: an archive cannot be written to stdout")

    @property
    def models(self) -> list[str]:
        return [self.model] if self.model else []


@click.command(cls=options.Command)
@click.argument("files", nargs=-1, required=True, type=options.FileName(), metavar="FILE|DIR...")
@options.all_of(
    click.option("-o", "--output", required=True, metavar="ARCHIVE", help="Archive to write."), options.overwrite,
    options.model(show_default="best shipped one"), options.quiet, options.verbose,
    click.option("--group-size", cls=options.Advanced, type=options.Size(), default="128K", show_default=True, metavar="SIZE",
                 help="Bytes coded together, up to 64M."),
    click.option("--content", cls=options.Advanced, is_flag=True, help="Store pictures and sound as PPM, TIFF or WAV."),
    options.plugins, options.threads, options.kernel,
)  # fmt: skip
def pack(**values: Any) -> None:
    """Put FILEs, and everything below DIRs, into one ARCHIVE. Similar files share a model, so small files gain the most.

    Folders, links, permissions, times and the numbers of owners and groups are kept. Files that cannot be packed are named, and
    the exit code is then 1. The archive is readable only for users who may read every file in it. A larger --group-size makes
    a smaller archive, but reading a single file takes longer.

    \b
    Examples:
      tokpress pack records -o records.tokp
      tokpress unpack records.tokp -o restored
    """
    settings = Settings(**values)
    named = archive_names(settings.files)
    if not streams.kind(settings.output):
        check(settings.output, "-", settings.force)
    check_not_read(settings.output, [*(path for path, _ in named), *auxiliary_files(settings.models)])
    begin = time.monotonic()
    packing, file_bytes = _write(settings, named)
    _report(settings, packing, file_bytes, time.monotonic() - begin)
    if packing.failures:
        click.get_current_context().exit(1)


def _write(settings: Settings, named: list[tuple[str, str]]) -> tuple["Packing", int]:
    """Write the archive; its bytes."""
    from tokpress.codec import archive
    from tokpress.codec.options import Options

    codec_options = Options(catalog.load(settings.models) or None, kernel=settings.kernel)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(Progress(settings.output, None, settings.quiet))
        umask = os.umask(0o077)  # only the owner may read the archive until all its files are known
        try:
            out = stack.enter_context(streams.destination(settings.output, settings.force))
        finally:
            os.umask(umask)
        packing = Packing(settings, out, max(settings.group_size, codec_options.frame_size))
        summary = archive.write(packing.items(named), out, codec_options, settings.group_size, progress.report)
        if not packing.count:
            raise TokpressError(f"{settings.output}: is not written: no file could be read")
        packing.set_permissions(umask)
    return packing, summary.file_bytes


def _report(settings: Settings, packing: "Packing", file_bytes: int, seconds: float) -> None:
    output, source_bytes = settings.output, packing.bytes
    if left_out := packing.left_out:
        note(
            f"{output}: left out of {counted(packing.files_with_less, 'file')}: {', '.join(sorted(left_out))}",
            settings.quiet,
        )
    sizes = (
        f"{source_bytes:,} → {file_bytes:,} bytes, {rates(source_bytes, file_bytes)}, {speed(source_bytes, seconds)}"
    )
    note(f"{output}: {counted(packing.files, 'file')}, {sizes}", settings.quiet)
    if packing.failures:
        items = counted(packing.failures, "item")
        note(f"tokpress: {output}: {items} could not be packed unchanged: see the messages above")


class Packing:
    """Files and folders as items of an archive. Failures are printed and counted."""

    def __init__(self, settings: Settings, out: BinaryIO, max_in_memory: int) -> None:
        self._settings, self._max_in_memory = settings, max_in_memory
        #: items; files; bytes of files; what is not packed as it is
        self.count = self.files = self.bytes = self.failures = 0
        #: with --content, kinds of metadata that are not stored, and how many files have them
        self.left_out: Counter[str] = Counter()
        self.files_with_less = 0
        self._first_names: dict[Key, str] = {}  # of files with several names: the name in the archive
        self._archive = _Archive(settings.output, out)
        self._permissions = 0o077  # granted by all files so far

    def items(self, named: list[tuple[str, str]]) -> Iterator["Item"]:
        for disk_item in walk(named, self._failed):
            try:
                with contextlib.ExitStack() as open_files:
                    if item := self._item(disk_item, open_files):
                        yield item
                        self.count += 1
            except OSError as error:  # the others go on
                self._failed(type(error)(error.errno, f"{error.strerror}, left out"), disk_item.path)
            except TokpressError as error:
                self._failed(error, disk_item.path)

    def set_permissions(self, umask: int) -> None:
        """Those that all files in the archive grant, within the umask."""
        if self._archive.descriptor is not None:
            os.fchmod(self._archive.descriptor, 0o600 | self._permissions & 0o066 & ~umask)

    def _failed(self, error: Exception, path: str) -> None:
        self.failures += 1
        note(f"tokpress: {describe(error, path)}")

    def _item(self, disk_item: DiskItem, open_files: contextlib.ExitStack) -> "Item | None":
        from tokpress.codec.archive import Item, ItemKind
        from tokpress.codec.archive.names import parts_of, to_text

        parts_of(disk_item.name)  # raises where an archive cannot hold this name
        mode = disk_item.status.st_mode
        if stat.S_ISDIR(mode):
            return self._folder(disk_item)
        if stat.S_ISLNK(mode):
            target = to_text(os.fsencode(os.readlink(disk_item.leaf, dir_fd=disk_item.folder)))
            return Item(disk_item.name, kind=ItemKind.SYMLINK, target=target)
        if not stat.S_ISREG(mode):
            raise OutputError(
                f"{disk_item.path}: is {_special(mode)}, left out: archives hold files, folders and links"
            )
        return None if self._archive.is_archive(disk_item) else self._file(disk_item, open_files)

    def _folder(self, disk_item: DiskItem) -> "Item":
        from tokpress.codec.archive import Item, ItemKind

        if is_too_deep(disk_item.name):
            raise OutputError(f"{disk_item.path}: the name is too long, left out with everything in it: shorten it")
        self._restrict(disk_item.status, (disk_item.status.st_mode & 0o011) << 2)
        return _with_attributes(Item(disk_item.name, kind=ItemKind.FOLDER), disk_item.status)

    def _file(self, disk_item: DiskItem, open_files: contextlib.ExitStack) -> "Item":
        from tokpress.codec.archive import Item, ItemKind

        if (first := self._first_names.get(identity(disk_item.status))) and not self._settings.content:
            self.files += 1
            return Item(disk_item.name, kind=ItemKind.HARDLINK, target=first)
        data, size, status = self._read(disk_item, open_files)
        name = disk_item.name
        if self._settings.content:
            name, data = self._content(disk_item, data)
        if status.st_nlink > 1:
            self._first_names[identity(status)] = name
        self._restrict(status, status.st_mode)
        self.files, self.bytes = self.files + 1, self.bytes + size
        return _with_attributes(Item(name, data), status)

    def _read(
        self, disk_item: DiskItem, open_files: contextlib.ExitStack
    ) -> tuple[bytes | BinaryIO, int, os.stat_result]:
        """(content, size, status). Large content is copied to a temporary file: the file may change while it is packed."""
        limit = max(self._max_in_memory, MAX_CONTENT) if self._settings.content else self._max_in_memory
        with os.fdopen(os.open(disk_item.leaf, _FLAGS, dir_fd=disk_item.folder), "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise OutputError(f"{disk_item.path}: was replaced while it was packed, left out: try again")
            data: bytes | BinaryIO = file.read(limit + 1)
            size = len(cast(bytes, data))
            if size > limit:
                spool = cast(BinaryIO, open_files.enter_context(tempfile.TemporaryFile()))  # noqa: SIM115
                spool.write(cast(bytes, data))
                shutil.copyfileobj(file, spool, 1 << 20)
                data, size = spool, spool.tell()
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
            self.failures += 1
            note(
                f"tokpress: {disk_item.path}: changed while it was read: the archive holds {size:,} bytes of it: pack it again"
            )
        return data, size, before

    def _content(self, disk_item: DiskItem, data: bytes | BinaryIO) -> tuple[str, bytes | BinaryIO]:
        """(name, data) of the pixels or samples of a file, or of the file as it is."""
        from tokpress.media import signatures, unwrap

        if not isinstance(data, bytes) or len(data) > MAX_CONTENT:
            note(
                f"tokpress: {disk_item.path}: is larger than {MAX_CONTENT >> 20} MiB, packed as it is",
                self._settings.quiet,
            )
            return disk_item.name, data
        if not signatures.recognised(data):
            return disk_item.name, data
        try:
            pixels, suffix, left_out = unwrap.shown(data)
            name = os.path.splitext(disk_item.name)[0] + suffix if suffix else disk_item.name
            leaf = to_bytes(name.rpartition("/")[2])
            if name != disk_item.name and leaf in disk_item.siblings:
                raise TokpressError(f"another file is called {name} already")
        except TokpressError as error:
            note(f"tokpress: {disk_item.path}: {error}; packed as it is", self._settings.quiet)
            return disk_item.name, data
        disk_item.siblings.add(leaf)
        self.left_out.update(left_out)
        self.files_with_less += bool(left_out)
        return name, pixels

    def _restrict(self, status: os.stat_result, mode: int) -> None:
        """Users who may not read this file may not read the archive. Group bits count where the groups are the same."""
        other_bits = 0o007 if mode & 0o004 else 0
        group_bits = 0o070 if mode & (0o040 if status.st_gid == self._archive.group else 0o004) else 0
        self._permissions &= other_bits | group_bits


class _Archive:
    """The archive that is written, and the file that it replaces: neither is packed."""

    def __init__(self, output: str, out: BinaryIO) -> None:
        self._output, self._reported = output, False
        #: None where the output is not a file
        self.descriptor: int | None = None
        self.group: int | None = None
        self._archive_keys: set[Key] = set()
        self._precious: Key | None = None  # a file in its place that is not an archive
        with contextlib.suppress(OSError):
            former = os.lstat(output)
            self._archive_keys.add(identity(former))
            if stat.S_ISREG(former.st_mode) and not _is_tokp(output):
                self._precious = identity(former)
        with contextlib.suppress(OSError, AttributeError):  # a pipe or a device
            if stat.S_ISREG((status := os.fstat(number := out.fileno())).st_mode):
                self.descriptor, self.group = number, status.st_gid
                self._archive_keys.add(identity(status))

    def is_archive(self, disk_item: DiskItem) -> bool:
        """Whether a file is the archive, which is reported once. Raises Failure where it would destroy a file of the user."""
        key = identity(disk_item.status)
        if key == self._precious:
            raise Failure(f"{self._output}: is one of the files to pack: choose another name with -o")
        if key in self._archive_keys and not self._reported:
            self._reported = True
            note(f"tokpress: {self._output}: the archive itself is in a packed folder, and is left out")
        return key in self._archive_keys


def _special(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "not a file, folder or link")


def _is_tokp(path: str) -> bool:
    """Whether a file begins as .tokp files do."""
    from tokpress.container.frames import SYNC
    from tokpress.container.short import MARKS

    with open(path, "rb") as file:
        start = file.read(len(SYNC))
    is_short = path.endswith(".tokp") and start != b"" and start[:1] in MARKS  # a single byte says little
    return start == SYNC or is_short


def _with_attributes(item: "Item", status: os.stat_result) -> "Item":
    """A file or folder with its permission bits, time and owner."""
    seconds = status.st_mtime_ns // 10**9
    return item._replace(mode=stat.S_IMODE(status.st_mode), mtime=seconds, uid=status.st_uid, gid=status.st_gid)
