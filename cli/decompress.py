"""tokpress decompress: plan the targets, restore each file, report. Files are restored in parallel where `jobs` allows it."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from tokpress.container.varint import ADVICE, COPY

from . import catalog, folders, jobs, options
from .compress import SUFFIX, is_compressed
from .output import OutputError
from .progress import Overall, Progress, speed
from .streams import display_name
from .targets import Targets, TargetSettings, auxiliary_files
from .terminal import is_live, note

if TYPE_CHECKING:
    from tokpress.codec.context import Context
    from tokpress.codec.stream import Summary
    from tokpress.container.frames import Damaged
    from tokpress.models.model import Model


@dataclass(frozen=True)
class Settings(TargetSettings):
    """The options of one call."""

    models: tuple[str, ...]
    context: str | None
    given: str | None
    to: str | None
    keep_going: bool
    kernel: str
    ray: str | None
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.to and (self.keep_going or self.remove):
            raise click.UsageError("--to writes another file: leave --keep-going and --rm out")
        self.check_targets()
        if self.ray is not None and (self.output or self.stdout):
            raise click.UsageError("--ray writes FILE beside each FILE.tokp: leave out -o and -c")


class Result(NamedTuple):
    name: str
    #: None is stdout
    target: str | None
    summary: "Summary"
    #: with --keep-going, one sentence for each damaged place
    damage: Sequence[str]
    seconds: float


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.output(default="FILE"), options.stdout,
    options.recursive, options.force("Overwrite existing files."), options.keep, options.remove_compressed, options.models,
    options.context, options.quiet, options.verbose,
    click.option("--keep-going", cls=options.Advanced, is_flag=True,
                 help="Restore the intact frames of a damaged file; exit with 1."),
    click.option("--to", cls=options.Advanced, type=click.Choice(["png", "flac"]), metavar="KIND",
                 help="Write pictures as png, or sound as flac."),
    options.given, options.plugins, options.threads, options.kernel, options.ray,
)  # fmt: skip
def decompress(**values: Any) -> None:
    """Restore each FILE.tokp to FILE, or stdin to stdout.

    The shipped models and those in the folders of $TOKPRESS_MODELS are found without -m. --to makes a PNG or FLAC file of what
    `compress --content` stored: with the same pixels or samples, but not the bytes of the file that they came from.

    \b
    Examples:
      tokpress decompress book.txt.tokp          writes book.txt
      tokpress decompress -c book.txt.tokp | wc  writes to a pipe
    """
    settings = Settings(**folders.expanded(values, is_compressed))
    targets = Targets(settings)
    targets.plan(
        settings.files,
        partial(_target_name, settings.to),
        auxiliary_files(settings.models, settings.given, settings.context),
    )
    models = catalog.load(settings.models, settings.given)
    context = catalog.context(settings.context, settings.files)
    large = has_several_frames if targets.separate and jobs.are_files(settings.files) else None
    overall = overall_of(settings.files, settings.quiet) if settings.ray is None else None
    restore = partial(_restore_file, settings, targets, models, context, overall)
    ray = jobs.Ray(settings.ray, _without_suffix, settings.force, settings.quiet)
    jobs.run(settings.files, restore, partial(_report, settings), large, ray)


# --- plan


def _without_suffix(name: str) -> str:
    if os.path.basename(name) == SUFFIX:
        raise OutputError(f"{name}: the name would be empty without {SUFFIX}: name the output with -o, or use -c")
    if not is_compressed(name):
        raise OutputError(f"{name}: does not end in {SUFFIX}: name the output with -o, or use -c")
    return name.removesuffix(SUFFIX)


def _target_name(to: str | None, name: str) -> str:
    """a.ppm.tokp → a.ppm, or a.png with --to png."""
    target = _without_suffix(name)
    return f"{os.path.splitext(target)[0]}.{to}" if to else target


def has_several_frames(name: str) -> bool:
    """Whether all threads decode a file together: it has several frames, or a large one, by its first header."""
    from tokpress.codec.options import FRAME_SIZE
    from tokpress.container.frames import read_header
    from tokpress.errors import FormatError

    try:
        with open(name, "rb") as file:
            header = read_header(file, 0)
    except (OSError, FormatError):  # reported by the job of this file
        return False
    return header is not None and (not header.last or header.source_length > FRAME_SIZE)


# --- restore one file


def _restore_file(
    settings: Settings,
    targets: Targets,
    models: "list[Model]",
    context: "Context | None",
    overall: Overall | None,
    name: str,
) -> Result:
    from tokpress.codec import stream
    from tokpress.errors import FormatError

    target, damage = targets.target(name, partial(_target_name, settings.to)), []
    with (
        jobs.reading(name, seekable=settings.keep_going) as source,
        Progress(display_name(name), restored_bytes(source), settings.quiet, overall) as progress,
        jobs.writing(targets, source, name, target, binary=False) as out,
    ):
        with tempfile.TemporaryFile() if settings.to else contextlib.nullcontext(out) as sink:
            summary = stream.decompress_stream(
                source, sink, models, settings.kernel, settings.keep_going, progress.report, context
            )
            if settings.to:
                out.write(_coded(sink, settings.to))
        if summary.damaged:
            damage = _damage(source, summary)
            targets.kept.add(name)
            if not summary.frames:
                raise FormatError(damage[0])
    return Result(name, target, summary, damage, progress.seconds)


def _coded(restored: BinaryIO, kind: str) -> bytes:
    """A restored file of raw samples as a PNG or FLAC file."""
    from tokpress.media import coded

    restored.seek(0)
    return coded.coded(restored.read(), kind)


def overall_of(files: Sequence[str], quiet: bool) -> Overall | None:
    """The progress of all files together, for the line on a terminal; None for one file, or where nothing is drawn."""
    if len(files) < 2 or quiet or not is_live() or not jobs.are_files(files):
        return None
    total = 0
    for name in files:
        with contextlib.suppress(OSError), open(name, "rb") as source:  # its job reports the error
            total += restored_bytes(source) or 0
    return Overall(len(files), total)


def restored_bytes(source: BinaryIO) -> int | None:
    """Bytes that a file restores, by its headers; None for a pipe, or where a header is damaged."""
    if not source.seekable():
        return None
    start = source.tell()
    try:
        return _bytes_between(source, start, source.seek(0, os.SEEK_END))
    except OSError:  # a file that cannot seek after all
        return None
    finally:
        source.seek(start)


def _bytes_between(source: BinaryIO, start: int, end: int) -> int | None:
    """Bytes that the frames from `start` to `end` restore. None where their headers do not fill this range exactly, unless the
    file ends within the last frame."""
    from tokpress.container.frames import read_header
    from tokpress.errors import FormatError

    position, count = start, 0
    try:
        while position < end:
            source.seek(position)
            if (header := read_header(source, position)) is None:
                return None
            position += header.frame_bytes
            count += header.source_length
    except FormatError:
        return None
    return count if start < end and (position == end or source.seek(0, os.SEEK_END) == end) else None


# --- report


def _damage(source: BinaryIO, summary: "Summary") -> list[str]:
    """One sentence for each damaged place."""
    missing = [_bytes_between(source, hole.offset, hole.offset + hole.length) for hole in summary.damaged]
    sequences = [frame.sequence for frame in summary.frames]
    total = summary.frames[-1].total_length if summary.frames else None  # of a single member, by its last frame
    if total and sequences == sorted(set(sequences)) and missing == [None]:
        missing = [total - summary.source_bytes]
    return [_sentence(hole, count) for hole, count in zip(summary.damaged, missing)]


def _sentence(damaged: "Damaged", missing: int | None) -> str:
    skipped = f"{damaged.length:,} bytes skipped, " if damaged.length else ""
    if damaged.unverified:
        lost = f"the frames around byte {damaged.offset:,} may not belong together"
    elif missing is None:
        lost = "an unknown number of bytes of the source is missing"
    else:
        lost = f"{missing:,} bytes of the source are missing"
    reason = damaged.reason.replace(ADVICE, COPY)  # the rest is restored already
    return f"{reason}; {skipped}{lost}"


def _report(settings: Settings, result: Result) -> None:
    """Raises FormatError where something is damaged."""
    from tokpress.errors import FormatError

    name, summary = display_name(result.name), result.summary
    for sentence in result.damage:
        note(f"tokpress: {name}: {sentence}")
    sizes = f"{summary.file_bytes:,} → {summary.source_bytes:,} bytes"
    note(f"{name}: {sizes}, {speed(summary.source_bytes, result.seconds)}", settings.quiet)
    if result.target and _is_archive(result.target):
        note(
            f"{name}: is an archive: {result.target} holds all its files joined; tokpress unpack separates them",
            settings.quiet,
        )
    if result.damage:
        raise FormatError(f"damaged: {result.target or 'stdout'} has the intact frames; see the messages above")


def _is_archive(path: str) -> bool:
    """Whether a restored file begins as the content of an archive."""
    from tokpress.codec.archive_magic import MAGIC

    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC
