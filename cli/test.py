"""tokpress test: decode one file after another, report."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import click

from tokpress.codec.archive_magic import MAGIC

from . import catalog, folders, jobs, options, streams
from .compress import is_compressed
from .decompress import has_several_frames, overall_of, restored_bytes
from .progress import Overall, Progress, counted, speed
from .streams import display_name
from .terminal import note, say

if TYPE_CHECKING:
    from tokpress.codec.context import Context
    from tokpress.codec.stream import Summary
    from tokpress.models.model import Model


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: tuple[str, ...]
    models: tuple[str, ...]
    context: str | None
    given: str | None
    kernel: str
    ray: str | None
    quiet: bool
    verbose: bool


class Result(NamedTuple):
    name: str
    summary: "Summary"
    seconds: float
    #: files in the archive; None: it is none
    items: int | None


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.recursive, options.models, options.context, options.quiet, options.verbose,
    options.given, options.plugins, options.threads, options.kernel, options.ray,
)  # fmt: skip
def test(**values: Any) -> None:
    """Decode each FILE.tokp, or stdin, and compare its checksums. Of archives, also read the index. Nothing is written.

    \b
    Examples:
      tokpress test *.tokp
      tokpress test -r records
    """
    settings = Settings(**folders.expanded(values, is_compressed))
    models = catalog.load(settings.models, settings.given)
    context = catalog.context(settings.context, settings.files)
    large = has_several_frames if jobs.are_files(settings.files) else None
    overall = overall_of(settings.files, settings.quiet) if settings.ray is None else None
    decode = partial(_decode_file, settings, models, context, overall)
    ray = jobs.Ray(settings.ray, lambda name: None, force=False, quiet=settings.quiet)
    jobs.run(settings.files, decode, partial(_report, settings), large, ray)


def _decode_file(
    settings: Settings, models: "list[Model]", context: "Context | None", overall: Overall | None, name: str
) -> Result:
    from tokpress.codec import stream

    sink = _Beginning()
    with (
        jobs.reading(name) as source,
        Progress(display_name(name), restored_bytes(source), settings.quiet, overall) as progress,
    ):
        summary = stream.decompress_stream(
            source, cast(BinaryIO, sink), models, settings.kernel, False, progress.report, context
        )
        items = _items(source, models, settings.kernel) if sink.is_archive and source.seekable() else None
    return Result(name, summary, progress.seconds, items)


class _Beginning(streams.Discard):
    """Keeps the first bytes only, which tell an archive."""

    def __init__(self) -> None:
        self._kept = b""

    def write(self, data: Any) -> int:
        self._kept += bytes(data[: len(MAGIC) - len(self._kept)])
        return len(data)

    @property
    def is_archive(self) -> bool:
        return self._kept == MAGIC


def _items(source: BinaryIO, models: "list[Model]", kernel: str) -> int:
    """The files of an archive. Raises FormatError where its index is damaged."""
    from tokpress.codec.archive import Archive

    archive = Archive(source, models, kernel)
    return sum(archive.kind(number).name in ("FILE", "HARDLINK") for number in archive.numbers())


def _report(settings: Settings, result: Result) -> None:
    name, summary = display_name(result.name), result.summary
    frames = len(summary.frames)
    if not settings.quiet:
        archive = "" if result.items is None else f"an archive of {counted(result.items, 'file')}, "
        say(f"{name}: OK, {archive}{summary.source_bytes:,} bytes in {counted(frames, 'frame')}")
    if settings.verbose:
        note(f"{name}: {speed(summary.source_bytes, result.seconds)}", settings.quiet)
