"""tokpress pack: find files and folders, write them as items of an archive, report."""

import contextlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from tokpress.errors import TokpressError

from . import append, catalog, options, streams
from .output import check, copy_owner
from .packing import Packing, Settings
from .progress import Progress, counted, rates, speed
from .targets import auxiliary_files, check_not_read
from .terminal import note
from .walk import archive_names

if TYPE_CHECKING:
    from tokpress.models.model import Model


@click.command(cls=options.Command)
@click.argument("files", nargs=-1, required=True, type=options.FileName(), metavar="FILE|DIR...")
@options.all_of(
    click.option("-o", "--output", required=True, type=options.FileName(), metavar="ARCHIVE", help="Archive to write."), options.overwrite,
    click.option("-a", "--append", is_flag=True, help="Add new names to an existing ARCHIVE."),
    click.option("-u", "--update", is_flag=True, help="Add new and newer files to an ARCHIVE."),
    options.model(show_default="best shipped one"), options.quiet, options.verbose,
    click.option("--nanoseconds", cls=options.Advanced, is_flag=True, help="Store times exactly, 4 bytes more each."),
    click.option("--group-size", cls=options.Advanced, type=options.Size(), default="128K", show_default=True, metavar="SIZE",
                 help="Bytes coded together, up to 64M."),
    click.option("--content", cls=options.Advanced, is_flag=True, help="Store pictures and sound as PPM, TGA, TIFF or WAV."),
    options.embed, options.plugins, options.threads, options.kernel,
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
      tokpress pack --update records -o records.tokp  adds new and newer files
    """
    settings = Settings(**values)
    named = archive_names(settings.files)
    adds = settings.adds and os.path.exists(settings.output)
    if not streams.kind(settings.output) and not adds:
        check(settings.output, "-", settings.force)
    check_not_read(settings.output, [*(path for path, _ in named), *auxiliary_files(settings.models)])
    try:
        packing, file_bytes, seconds = _add(settings, named) if adds else _write(settings, named)
    except append.NothingNew:
        return note(f"{settings.output}: nothing is new or newer, so it is unchanged", settings.quiet)
    _report(settings, packing, file_bytes, seconds)
    if packing.failures:
        click.get_current_context().exit(1)


def _write(settings: Settings, named: list[tuple[str, str]]) -> tuple[Packing, int, float]:
    """Write the archive; its bytes and the time."""
    models = catalog.load(settings.models)
    with contextlib.ExitStack() as stack:
        umask = os.umask(0o077)  # only the owner may read the archive until all its files are known
        try:
            out = stack.enter_context(streams.destination(settings.output, settings.force))
        finally:
            os.umask(umask)
        return _write_items(settings, named, models, out, None, umask)


def _add(settings: Settings, named: list[tuple[str, str]]) -> tuple[Packing, int, float]:
    """Add to the archive; the bytes that are added, and the time."""
    models = catalog.load(settings.models)
    with contextlib.ExitStack() as stack:
        existing = stack.enter_context(
            append.existing(settings.output, models, settings.kernel, replaces=settings.update)
        )
        umask = os.umask(0o077)
        try:
            out = stack.enter_context(existing.extended())
        finally:
            os.umask(umask)
        return _write_items(settings, named, models, out, existing, ~copy_owner(out.fileno(), existing.status))


def _write_items(
    settings: Settings,
    named: list[tuple[str, str]],
    models: "list[Model]",
    out: BinaryIO,
    existing: "append.Existing | None",
    umask: int,
) -> tuple[Packing, int, float]:
    from tokpress.codec import archive
    from tokpress.codec.options import Options

    codec_options = Options(models or None, kernel=settings.kernel, embed=settings.embed)
    packing = Packing(settings, out, max(settings.group_size, codec_options.frame_size), existing)
    with Progress(settings.output, packing.total_bytes(named), settings.quiet) as progress:
        summary = archive.write(
            packing.items(named),
            out,
            codec_options,
            settings.group_size,
            progress.report,
            joined=existing is not None,
            updates=existing is not None and settings.update,
        )
    if not packing.count and existing and not packing.failures:
        raise append.NothingNew
    if not packing.count:
        raise TokpressError(f"{settings.output}: is not written: no file could be read")
    packing.set_permissions(umask)
    return packing, summary.file_bytes, progress.seconds


def _report(settings: Settings, packing: Packing, file_bytes: int, seconds: float) -> None:
    output, source_bytes = settings.output, packing.bytes
    if left_out := packing.left_out:
        note(
            f"{output}: left out of {counted(packing.files_with_less, 'file')}: {', '.join(sorted(left_out))}",
            settings.quiet,
        )
    sizes = (
        f"{source_bytes:,} → {file_bytes:,} bytes, {rates(source_bytes, file_bytes)}, {speed(source_bytes, seconds)}"
    )
    added = " added" if packing.existing else ""
    note(f"{output}: {counted(packing.files, 'file')}{added}, {sizes}", settings.quiet)
    if packing.failures:
        items = counted(packing.failures, "item")
        note(f"tokpress: {output}: {items} could not be packed unchanged: see the messages above")
