"""tokpress test: decode one file after another, report."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import click

from . import catalog, folders, jobs, options, streams
from .compress import is_compressed
from .decompress import has_several_frames, restored_bytes
from .progress import Progress, speed
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


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.recursive, options.models, options.context, options.quiet, options.verbose,
    options.given, options.plugins, options.threads, options.kernel, options.ray,
)  # fmt: skip
def test(**values: Any) -> None:
    """Decode each FILE.tokp, or stdin, and compare its checksums. Nothing is written.

    \b
    Examples:
      tokpress test *.tokp
      tokpress test -r records
    """
    settings = Settings(**folders.expanded(values, is_compressed))
    models = catalog.load(settings.models, settings.given)
    context = catalog.context(settings.context, several=len(settings.files) > 1)
    large = has_several_frames if jobs.are_files(settings.files) else None
    decode, report = partial(_decode_file, settings, models, context), partial(_report, settings)
    if settings.ray is not None:
        from . import cluster

        cluster.run(settings.ray, settings.files, decode, report, lambda name: None, False, settings.quiet)
    else:
        jobs.run(settings.files, decode, report, large)


def _decode_file(settings: Settings, models: "list[Model]", context: "Context | None", name: str) -> Result:
    from tokpress.codec import stream

    discard = cast(BinaryIO, streams.Discard())
    with (
        jobs.reading(name) as source,
        Progress(display_name(name), restored_bytes(source), settings.quiet) as progress,
    ):
        summary = stream.decompress_stream(source, discard, models, settings.kernel, False, progress.report, context)
    return Result(name, summary, progress.seconds)


def _report(settings: Settings, result: Result) -> None:
    name, summary = display_name(result.name), result.summary
    frames = len(summary.frames)
    if not settings.quiet:
        say(f"{name}: OK, {summary.source_bytes:,} bytes in {frames:,} frame{'s' * (frames != 1)}")
    if settings.verbose:
        note(f"{name}: {speed(summary.source_bytes, result.seconds)}", settings.quiet)
