"""tokpress score: bits of one file after another, as rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from . import catalog, costs, jobs, options, output, streams
from .main import Failure
from .progress import warn_without_core
from .streams import ADVICE, display_name
from .targets import auxiliary_files, check_not_read
from .terminal import say, show

if TYPE_CHECKING:
    from tokpress.models.model import Model


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: tuple[str, ...]
    model: str
    by: str
    top: int | None
    rate: bool
    contexts: tuple[str, ...]
    given: str | None
    lanes: int | None
    kernel: str
    as_json: bool
    html: str | None
    force: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.contexts and (self.lanes or 1) != 1:
            raise click.UsageError("--context needs a single lane: leave --lanes out")
        if self.rate and not self.top:
            raise click.UsageError("--rate orders the rows of --top: add --top N")
        if self.html and (len(self.files) > 1 or streams.is_stdout(self.html)):
            raise click.UsageError("--html writes the page of one FILE to a file: name one of each")

    @property
    def sort_key(self) -> str:
        return "bits_per_byte" if self.rate else "bits"


@click.command(cls=options.Command)
@options.all_of(
    options.files,
    click.option("--by", type=click.Choice(list(costs.BY)), default="file", show_default=True, metavar="UNIT",
                 help="Unit of a row."),
    click.option("--top", type=click.IntRange(1), metavar="N", show_default="all rows", help="Print the N most expensive rows."),
    click.option("--rate", is_flag=True, help="With --top: sort by bits per byte, not by bits."),
    click.option("--html", type=options.FileName(), metavar="OUT", help="Write a page to look at, too."),
    options.model(default="text", show_default=True), options.as_json, options.overwrite, options.verbose,
    click.option("--context", "contexts", cls=options.Advanced, multiple=True, type=options.FileName(), metavar="FILE",
                 help="File that the model reads first; - is stdin; repeatable."),
    options.given, options.plugins, options.threads, options.lanes, options.kernel,
)  # fmt: skip
def score(**values: Any) -> None:
    """Print the bits that each FILE costs under a model: one row for each UNIT, which is a file, line, token, byte or segment.

    Expensive parts are those that the model did not expect. The bits of a token in two lines are divided by its bytes in each.
    With several --lanes the beginning of each lane is more expensive, since a lane starts without context.

    A model of pixels or sound scores the samples of PNG, FLAC and other coded files, as a file of compress --content.

    --html writes one self-contained page: text coloured by the bits of its tokens, with likely alternatives; a picture beside its bits; a
    recording above its bits; the most expensive lines.

    \b
    Examples:
      tokpress score book.txt
      tokpress score --by line --top 20 server.log  finds unusual lines
      tokpress score --html page.html server.log
    """
    settings = Settings(**values)
    if settings.html:
        check_not_read(
            settings.html, [*settings.files, *auxiliary_files([settings.model], settings.given, *settings.contexts)]
        )
        output.check(settings.html, "-", settings.force)
    warn_without_core()
    (model,) = catalog.load([settings.model], settings.given)
    context = catalog.context_bytes(settings.contexts, settings.files)
    rows = TopRows(settings) if settings.top else AllRows(settings)
    try:
        jobs.run(settings.files, partial(_score_file, settings, model, context, rows))
    finally:
        with _printing():
            rows.end()


def _score_file(settings: Settings, model: "Model", context: bytes, rows: "AllRows | TopRows", name: str) -> None:
    lanes = 1 if settings.contexts else settings.lanes
    with jobs.reading(name, seekable=costs.takes_samples(model)) as source:
        pieces, page = costs.blocks(source, model, lanes, context, settings.kernel), None
        if settings.html:
            from .score_page import Page

            page = Page(display_name(name), model, lanes, context, settings.kernel)
            pieces = page.watch(pieces)
        for row in costs.BY[settings.by](pieces):
            with _printing():
                rows.add({"file": display_name(name)} | row)
    if page and settings.html:
        with streams.destination(settings.html, settings.force) as out:
            out.write(page.html())


@contextmanager
def _printing() -> Iterator[None]:
    """Errors of stdout are not those of the file that is read."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"stdout: {error.strerror}: {ADVICE}") from error


class AllRows:
    """Prints each row at once."""

    def __init__(self, settings: Settings) -> None:
        self._printer = _JSON() if settings.as_json else _Table(settings.by)

    def add(self, row: costs.Row) -> None:
        self._printer.add(row)

    def end(self) -> None:
        self._printer.end()


class TopRows:
    """Keeps the N most expensive rows, and prints them at the end."""

    def __init__(self, settings: Settings) -> None:
        self._printed = AllRows(settings)
        self._highest = costs.Highest(settings.sort_key, settings.top or 0)

    def add(self, row: costs.Row) -> None:
        self._highest.add(row)

    def end(self) -> None:
        for row in self._highest.rows():
            self._printed.add(row)
        self._printed.end()


class _JSON:
    """One array of objects, printed row by row."""

    def __init__(self) -> None:
        self._before = "[\n"

    def add(self, row: costs.Row) -> None:
        import json

        show(self._before + json.dumps(row))
        self._before = ",\n"

    def end(self) -> None:
        show("[]\n" if self._before == "[\n" else "\n]\n")


class _Table:
    """Tab-separated columns below their names."""

    def __init__(self, by: str) -> None:
        position = {"file": [], "line": ["line"], "segment": ["segment", "kind"]}.get(by, ["offset"])
        details = {"file": ["bits_per_token", "bits_per_line"], "segment": []}.get(by, ["text"])
        self._columns = ["file", *position, "bits", "bytes", "bits_per_byte", *details]
        self._started = False

    def add(self, row: costs.Row) -> None:
        if not self._started:
            say(*(column.replace("_", " ") for column in self._columns), separator="\t")
            self._started = True
        values = (row[column] for column in self._columns)
        say(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in values), separator="\t")

    def end(self) -> None:
        """Nothing is left to print."""
