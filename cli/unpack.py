"""tokpress unpack: open the archive, choose items, write or list them, report."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tokpress.errors import FormatError, TokpressError

from . import catalog, jobs, options, streams
from .output import OutputError
from .progress import Progress, counted, size
from .targets import auxiliary_files, file_keys
from .terminal import is_live, note, say
from .tree import Tree
from .unpacking import Settings, Unpacking
from .walk import to_text

if TYPE_CHECKING:
    from tokpress.codec.archive import Archive, Entry


class FrameReport:
    """Passes the progress within a frame to the watcher, once there is one."""

    def __init__(self) -> None:
        self.watcher: Callable[[int], None] = lambda done: None

    def __call__(self, done: int) -> None:
        self.watcher(done)


@click.command(cls=options.Command)
@click.argument("archive", type=options.FileName(), metavar="ARCHIVE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.all_of(
    click.option("-o", "--output", type=options.FileName(), default=".", metavar="DIR", show_default="this folder", help="Folder to write to."),
    click.option("-l", "--list", "listing", is_flag=True, help="List sizes and names; -lv lists as tar tv."),
    options.overwrite,
    click.option("-p", "--preserve-permissions", is_flag=True, help="Restore all permission bits."),
    options.models, options.quiet, options.verbose,
    click.option("--no-same-owner", cls=options.Advanced, is_flag=True, help="As root: do not restore owners and groups."),
    options.plugins, options.threads, options.kernel,
)  # fmt: skip
def unpack(**values: Any) -> None:
    """Write the files of an ARCHIVE made by `tokpress pack`: all of them, or those NAMED, with everything in folders NAMED.

    A NAME may be a pattern in quotes: `*` and `?` match any characters, also slashes, and `[a-z]` one of these.
    Items that cannot be written are named, and the exit code is then 1. Nothing is written outside of DIR, nor through a link.
    Root also restores owners and groups, by number.

    \b
    Examples:
      tokpress unpack records.tokp -o restored
      tokpress unpack -lv records.tokp
      tokpress unpack -o texts records.tokp '*.txt'
    """
    settings = Settings(**values)
    failures = _unpack(settings)
    for failure in failures:
        note(f"tokpress: {failure}")
    if failures:
        click.get_current_context().exit(1)


def _unpack(settings: Settings) -> list[str]:
    """Write or list the items. Returns a sentence for each kind of failure."""
    from tokpress.codec.archive import Archive

    with jobs.reading(settings.archive, seekable=True) as stream:
        models, of_frame = catalog.load(settings.models), FrameReport()
        try:
            archive = Archive(stream, models, settings.kernel, keep_going=True, report=of_frame)
        except FormatError as error:
            raise FormatError(f"{settings.archive}: {error}") from error
        numbers, failures = _chosen(settings, archive), []
        if settings.listing:
            for entry in archive.entries(numbers):
                say(f"{_details(entry) if settings.verbose else f'{entry.size:>12,}'}  {_listed(entry)}")
        else:
            failures = _write(settings, archive, stream, numbers, of_frame)
    if archive.damage:
        failures.append(f"{settings.archive}: {archive.damage}; all later files are lost")
    return failures


def _chosen(settings: Settings, archive: "Archive") -> Sequence[int]:
    """Numbers of the items to write or list. Raises TokpressError for a name that the archive does not hold."""
    if not settings.names:
        return archive.numbers()
    try:
        return archive.within(map(_archive_name, settings.names))
    except KeyError as error:
        name = settings.archive
        raise TokpressError(f"{name}: holds no {error.args[0]}: tokpress unpack -l {name} lists its names") from None


def _archive_name(name: str) -> str:
    """A name in the archive: UTF-8, without the slash that the completion of a shell adds to folders."""
    return to_text(os.fsencode(name)).rstrip("/") or name


def _listed(entry: "Entry") -> str:
    """As ls and tar show folders and links."""
    suffixes = {"FOLDER": "/", "SYMLINK": f" -> {entry.target}", "HARDLINK": f" = {entry.target}"}
    return entry.name + suffixes.get(entry.kind.name, "")


def _details(entry: "Entry") -> str:
    """Kind and permission bits, owner and group, size and time, as tar lists them."""
    kinds = {"FILE": stat.S_IFREG, "FOLDER": stat.S_IFDIR, "SYMLINK": stat.S_IFLNK, "HARDLINK": stat.S_IFREG}
    mode = 0o777 if entry.kind.name == "SYMLINK" else entry.mode
    bits = stat.filemode(kinds[entry.kind.name] | mode)
    bits = "h" + bits[1:] if entry.kind.name == "HARDLINK" else bits
    try:
        date = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.mtime))
    except (OverflowError, ValueError, OSError):  # a year that no calendar has
        date = f"@{entry.mtime}"
    size = 0 if entry.kind.name == "HARDLINK" else entry.size
    return f"{bits} {f'{entry.uid}/{entry.gid}':<9} {size:>12,} {date}"


def _write(
    settings: Settings, archive: "Archive", stream: BinaryIO, numbers: Sequence[int], of_frame: FrameReport
) -> list[str]:
    try:
        os.makedirs(settings.output, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{settings.output}: is not a folder: name one with -o") from None
    with Tree(settings.output) as tree:
        read = {key for path in auxiliary_files(settings.models) for key in file_keys(os.stat(path))}
        read |= set(file_keys(streams.status(stream)))
        with Progress(settings.archive, _total_bytes(settings, archive, numbers), settings.quiet) as progress:
            unpacking = Unpacking(settings, archive, tree, read, progress)
            of_frame.watcher = unpacking.report
            unpacking.write(numbers)
    note(f"{settings.archive}: {counted(unpacking.files, 'file')}, {size(unpacking.bytes)}", settings.quiet)
    return unpacking.failures()


def _total_bytes(settings: Settings, archive: "Archive", numbers: Sequence[int]) -> int | None:
    """Bytes of the files to write, for the progress line; None where it is not drawn."""
    if settings.quiet or not is_live():
        return None
    return sum(entry.size for entry in archive.entries(numbers) if entry.kind.name == "FILE")
