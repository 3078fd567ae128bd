"""tokpress index: write the index of one file after another, from its headers."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import click

from . import folders, jobs, options, streams
from .compress import INDEX_SUFFIX, is_compressed
from .progress import counted
from .streams import display_name
from .targets import Targets, TargetSettings
from .terminal import note


@dataclass(frozen=True)
class Settings(TargetSettings):
    """The options of one call."""

    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        self.check_targets()


class Result(NamedTuple):
    name: str
    frames: int
    size: int


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.output(default="FILE.idx"), options.stdout, options.overwrite, options.recursive,
    options.quiet, options.verbose,
)  # fmt: skip
def index(**values: Any) -> None:
    """Write the index of each FILE.tokp to FILE.tokp.idx.

    An index holds the headers of all frames. With it, `tokpress.open` reads any part of a file, also of one on a server, without
    reading the headers before that part. Nothing is decoded here. An index of another version of the file is refused.

    \b
    Example:
      tokpress index book.txt.tokp  writes book.txt.tokp.idx
    """
    settings = Settings(**folders.expanded(values, is_compressed), keep=True, remove=False)
    targets = Targets(settings)
    targets.plan(settings.files, _target_name)
    jobs.run(settings.files, partial(_index_file, targets), partial(_report, settings))


def _target_name(name: str) -> str:
    return name + INDEX_SUFFIX


def _index_file(targets: Targets, name: str) -> Result:
    from tokpress.container.index import iter_headers, pack_index

    with jobs.reading(name, seekable=True) as file:
        before = streams.status(file)
        headers = list(iter_headers(file))
        jobs.check_unchanged(name, file, before)
        data = pack_index(headers)
        with jobs.writing(targets, file, name, targets.target(name, _target_name), binary=True) as out:
            out.write(data)
    return Result(name, len(headers), len(data))


def _report(settings: Settings, result: Result) -> None:
    note(
        f"{display_name(result.name)}: {counted(result.frames, 'frame')}, index of {result.size:,} bytes",
        settings.quiet,
    )
