"""The items of an archive that pack writes: files, folders and links, with what is kept of each."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from tokpress.errors import TokpressError

from . import append, streams
from .main import Failure, describe
from .output import OutputError
from .targets import Key, identity
from .terminal import is_live, note
from .walk import DiskItem, is_too_deep, to_bytes, walk

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
    append: bool
    update: bool
    nanoseconds: bool
    embed: bool
    group_size: int
    model: str | None
    kernel: str
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if streams.is_stdout(self.output):
            raise click.UsageError("-o names a file: an archive cannot be written to stdout")
        if self.append and self.update:
            raise click.UsageError("--append refuses names that --update replaces: give one of both")
        if self.adds and self.embed:
            raise click.UsageError(
                "--embed is for a new archive: one that exists has its models in it already, or has not"
            )
        if self.adds and streams.kind(self.output):
            raise click.UsageError("--append and --update need an archive in a file")

    @property
    def adds(self) -> bool:
        return self.append or self.update

    @property
    def models(self) -> list[str]:
        return [self.model] if self.model else []


class Packing:
    """Files and folders as items of an archive. Failures are printed and counted."""

    def __init__(
        self, settings: Settings, out: BinaryIO, max_in_memory: int, existing: "append.Existing | None"
    ) -> None:
        """existing: the archive that is added to."""
        self._settings, self._max_in_memory, self.existing = settings, max_in_memory, existing
        #: items; files; bytes of files; what is not packed as it is
        self.count = self.files = self.bytes = self.failures = 0
        #: with --content, kinds of metadata that are not stored, and how many files have them
        self.left_out: Counter[str] = Counter()
        self.files_with_less = 0
        self._first_names: dict[Key, str] = {}  # of files with several names: the name in the archive
        self._archive = _Archive(settings.output, out)
        self._permissions = 0o077  # granted by all files so far

    def total_bytes(self, named: list[tuple[str, str]]) -> int | None:
        """Bytes of the files to pack, for the progress line; None where it is not drawn."""
        if self._settings.quiet or not is_live():
            return None
        total, seen = 0, set()
        for disk_item in walk(named, lambda error, path: None):
            status = disk_item.status
            if (
                stat.S_ISREG(status.st_mode)
                and identity(status) not in seen
                and self._is_to_add(disk_item.name, status)
            ):
                total += status.st_size
                if status.st_nlink > 1:
                    seen.add(identity(status))
        return total

    def _is_to_add(self, name: str, status: os.stat_result) -> bool:
        return self.existing is None or self.existing.is_to_add(name, status)

    def items(self, named: list[tuple[str, str]]) -> Iterator["Item"]:
        for disk_item in walk(named, self._failed):
            try:
                with contextlib.ExitStack() as open_files:
                    if item := self._item(disk_item, open_files):
                        yield item
                        self.count += 1
                        if self._settings.verbose:
                            note(item.name)
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
        if self._archive.is_archive(disk_item) or not self._is_to_add(disk_item.name, disk_item.status):
            return None
        if stat.S_ISDIR(mode):
            return self._folder(disk_item)
        if stat.S_ISLNK(mode):
            target = to_text(os.fsencode(os.readlink(disk_item.leaf, dir_fd=disk_item.folder)))
            return self._with_attributes(Item(disk_item.name, kind=ItemKind.SYMLINK, target=target), disk_item.status)
        if not stat.S_ISREG(mode):
            raise OutputError(
                f"{disk_item.path}: is {_special(mode)}, left out: archives hold files, folders and links"
            )
        return self._file(disk_item, open_files)

    def _folder(self, disk_item: DiskItem) -> "Item":
        from tokpress.codec.archive import Item, ItemKind

        if is_too_deep(disk_item.name):
            raise OutputError(f"{disk_item.path}: the name is too long, left out with everything in it: shorten it")
        self._restrict(disk_item.status, (disk_item.status.st_mode & 0o011) << 2)
        return self._with_attributes(Item(disk_item.name, kind=ItemKind.FOLDER), disk_item.status)

    def _file(self, disk_item: DiskItem, open_files: contextlib.ExitStack) -> "Item | None":
        from tokpress.codec.archive import Item, ItemKind

        if (first := self._first_names.get(identity(disk_item.status))) and not self._settings.content:
            self.files += 1
            return Item(disk_item.name, kind=ItemKind.HARDLINK, target=first)
        data, size, status = self._read(disk_item, open_files)
        name = disk_item.name
        if self._settings.content:
            name, data = self._content(disk_item, data)
            if name != disk_item.name and not self._is_to_add(name, status):
                return None
        if status.st_nlink > 1:
            self._first_names[identity(status)] = name
        self._restrict(status, status.st_mode)
        self.files, self.bytes = self.files + 1, self.bytes + size
        return self._with_attributes(Item(name, data), status)

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

    def _with_attributes(self, item: "Item", status: os.stat_result) -> "Item":
        """A file or folder with its permission bits, time and owner; a symbolic link with time and owner."""
        seconds, fraction = divmod(status.st_mtime_ns, 10**9)
        mode = 0 if stat.S_ISLNK(status.st_mode) else stat.S_IMODE(status.st_mode)
        nanoseconds = fraction if self._settings.nanoseconds else 0
        return item._replace(mode=mode, mtime=seconds, uid=status.st_uid, gid=status.st_gid, nanoseconds=nanoseconds)

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
