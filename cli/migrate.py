"""tokpress migrate: code files again by the models of this release, each in its place."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from . import catalog, folders, jobs, options, output
from .compress import INDEX_SUFFIX, is_compressed
from .decompress import restored_bytes
from .progress import Progress, rates
from .streams import display_name
from .terminal import note

if TYPE_CHECKING:
    from tokpress.codec.context import Context
    from tokpress.codec.efforts import Effort
    from tokpress.models.model import Model


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: Sequence[str]
    force: bool
    fast: bool
    best: bool
    to: str | None
    models: tuple[str, ...]
    context: str | None
    embed: bool
    kernel: str
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.fast + self.best + bool(self.to) > 1:
            raise click.UsageError("--fast, --best and --to exclude each other")
        if not jobs.are_files(self.files):
            raise click.UsageError(
                "files are replaced in their places, on disk: for others, use decompress and compress"
            )

    @property
    def effort(self) -> "Effort":
        return "fast" if self.fast else "best" if self.best else "default"


class Result(NamedTuple):
    name: str
    old_bytes: int
    #: None: it was kept
    new_bytes: int | None
    source_bytes: int = 0


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.recursive,
    options.force("Also files of this release."),
    click.option("--fast", is_flag=True, help="Leave out the text model; faster."),
    click.option("--best", is_flag=True, help="Add a larger text model; 5 to 10 times slower."),
    click.option("--to", type=options.FileName(), metavar="NAME|DIR", help="Model of the new files.", show_default="best shipped one"),
    options.models, options.context, options.embed, options.quiet, options.verbose,
    options.plugins, options.threads, options.kernel,
)  # fmt: skip
def migrate(**values: Any) -> None:
    """Code each FILE.tokp again, by the models of this release.

    A file that another release made may need a model that this one has not: -m names it. Each file is decoded, coded, decoded again and
    compared. Only then does the new file take the place of the old one, with its owner, permissions and times. A file whose models
    are all in this release, or are the model of --to, is kept.

    \b
    Examples:
      tokpress migrate book.txt.tokp
      tokpress migrate -r records --best
    """
    settings = Settings(**folders.expanded(values, is_compressed))
    models, new = catalog.load(settings.models, None), catalog.load([settings.to] if settings.to else [], None)
    context = catalog.context(settings.context, settings.files)
    jobs.run(settings.files, partial(_migrate_file, settings, models, new, context), partial(_report, settings))


def _migrate_file(
    settings: Settings, models: "list[Model]", new: "list[Model]", context: "Context | None", name: str
) -> Result:
    from tokpress.codec import migrate as again
    from tokpress.codec.options import Options
    from tokpress.codec.restore import Decoding
    from tokpress.models import identity

    with jobs.reading(name) as source:
        status = os.fstat(source.fileno())
        needed, given = again.models_of(source, Decoding([*models, *new], settings.kernel, context))
        ours = {model.id for model in new}
        is_current = needed <= ours if new else all(map(identity.folder_of, needed))
        if is_current and not settings.force:
            return Result(name, status.st_size, None)
        source.seek(0)
        with (
            Progress(display_name(name), restored_bytes(source), settings.quiet) as progress,
            output.create(os.path.realpath(name), force=True, source=status, sync=True) as out,
        ):
            coding = Options(
                new or None, kernel=settings.kernel, effort=settings.effort, context=context, embed=settings.embed,
                report=progress.report,
            )  # fmt: skip
            summary = again.migrate(source, out, given, coding)
            jobs.check_unchanged(name, source, status)
    return Result(name, status.st_size, summary.file_bytes, summary.source_bytes)


def _report(settings: Settings, result: Result) -> None:
    name = display_name(result.name)
    if result.new_bytes is None:
        note(f"{name}: is kept: its models are current", settings.quiet)
        return
    if os.path.exists(result.name + INDEX_SUFFIX):
        note(f"{name}: its index is of the old file: build it again with `tokpress index -f`", settings.quiet)
    sizes = f"{result.old_bytes:,} → {result.new_bytes:,} bytes, {rates(result.source_bytes, result.new_bytes)}"
    note(f"{name}: {sizes}, verified", settings.quiet)
