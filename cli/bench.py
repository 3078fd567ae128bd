"""tokpress bench: find the files, prepare the codecs, measure one file after another, report."""

import json
import os
import sys
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import jobs, options, output, streams
from .main import Failure
from .targets import identities
from .terminal import MovingLine, note, show_json, show_table

if TYPE_CHECKING:
    from tokpress.bench.measure import Row, Run

PEERS = "xz,zstd,brotli,bzip3,ppmd,zpaq"
PLOT_SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: tuple[str, ...]
    against: str
    models: tuple[str, ...]
    repeat: int
    json: str | None
    plot: str | None
    html: str | None
    force: bool
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        outputs = {"--json": self.json, "--plot": self.plot, "--html": self.html}
        for (first, a), (second, b) in combinations(outputs.items(), 2):
            if a and b and set(identities(a)) & set(identities(b)):
                raise click.UsageError(f"{first} and {second} name the same file")
        if self.plot and os.path.splitext(self.plot)[1] not in PLOT_SUFFIXES:
            raise click.UsageError(f"--plot {self.plot}: the name must end in {', '.join(PLOT_SUFFIXES)}")

    @property
    def prints_table(self) -> bool:
        return self.json != "-"

    @property
    def peers(self) -> list[str]:
        return list(dict.fromkeys(name.strip() for name in self.against.split(",") if name.strip()))


@click.command(cls=options.Command)
@click.argument("files", nargs=-1, required=True, type=options.FileName(), metavar="FILE|DIR...")
@options.all_of(
    click.option("--against", default=PEERS, show_default="see above", metavar="LIST", help="Peers, NAME or NAME:LEVEL."),
    click.option("-m", "--model", "models", multiple=True, metavar="NAME|DIR", help="Measure this model too; repeatable."),
    click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Runs of each codec; the fastest counts."),
    click.option("--json", type=options.FileName(), metavar="FILE", help="Write figures as JSON; - is stdout, and no table."),
    click.option("--plot", type=options.FileName(), metavar="FILE", help="Plot rate against speed: .png, .svg or .pdf."),
    click.option("--html", type=options.FileName(), metavar="FILE", help="Plot rate against speed as a page, with a table."),
    options.overwrite, options.quiet, options.verbose, options.threads,
)  # fmt: skip
def bench(**values: Any) -> None:
    """Measure tokpress and other compressors on FILEs, and on all files in DIRs.

    Each codec compresses and decompresses each file in its own processes. Times are those of whole processes, start and loading
    of the model included. Each result is compared with the source. The default peers are xz, zstd, brotli, bzip3, ppmd and zpaq, at
    their highest levels. Peers that are not installed are skipped.

    \b
    Examples:
      tokpress bench book.txt
      tokpress bench --against xz,zstd:3 --json figures.json samples
    """
    settings = Settings(**values)
    files = _files(settings)
    _check_outputs(settings, files)
    _check_packages(settings)
    run = _prepared(settings)
    failed = _measure_files(settings, run, files)
    if run.rows:
        _report(settings, run)
    if failed or run.failures:
        click.get_current_context().exit(1)


# --- find the files, check the outputs


def _files(settings: Settings) -> list[str]:
    """Files as given; for a folder, all files in it and below."""
    files: list[str] = []
    for name in settings.files:
        if not os.path.isdir(name):
            files.append(name)
            continue
        below = sorted(os.path.join(folder, file) for folder, _, names in os.walk(name) for file in names)
        if not below:
            raise Failure(f"{name}: holds no files: name another folder")
        files += filter(os.path.isfile, below)  # no sockets, no dangling links
    return files


def _check_outputs(settings: Settings, files: list[str]) -> None:
    """Raise OutputError where an output cannot be written, or is one of the files."""
    measured = {key for name in files for key in identities(name)}
    for path in (settings.json, settings.plot, settings.html):
        if path and path != "-":
            output.check(path, "-", settings.force)
            if measured.intersection(identities(path)):
                raise output.OutputError(f"{path}: is one of the files to measure: choose another name")


def _check_packages(settings: Settings) -> None:
    """Raise Failure where a package is missing, before hours of measuring."""
    needed = [*["rich"] * settings.prints_table, *["matplotlib"] * bool(settings.plot)]
    for package in needed:
        if find_spec(package) is None:
            raise Failure(f"this needs {package}: pip install 'tokpress[bench]'")


# --- measure


def _prepared(settings: Settings) -> "Run":
    """The run, without the peers that are not installed."""
    from tokpress.bench import measure
    from tokpress.bench.codec import BenchError
    from tokpress.models import store

    for name in settings.models:
        store.load(name)  # raises where it is not a model
    codecs = ["tokpress", *(f"tokpress:{name}" for name in settings.models), *settings.peers]
    try:
        run = measure.prepare(codecs, settings.repeat)
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    for name, reason in run.skipped.items():
        note(f"tokpress: {name} is skipped: {reason}", settings.quiet)
    if settings.peers and len(run.skipped) == len(settings.peers):
        raise Failure("no peer of --against is installed: --against '' measures tokpress alone")
    return run


def _measure_files(settings: Settings, run: "Run", files: list[str]) -> bool:
    """Whether a file could not be read. After Ctrl-C, the rows so far are printed."""
    try:
        jobs.run(files, partial(_measure_file, settings, run), run.rows.extend)
    except click.exceptions.Exit:
        return True
    except KeyboardInterrupt:
        if run.rows and settings.prints_table:
            _print_table(run)
        raise
    return False


def _measure_file(settings: Settings, run: "Run", name: str) -> "list[Row]":
    """Rows of all codecs on one file: all of them, or an error."""
    from tokpress.bench.measure import measure

    if not os.path.isfile(name):
        open(name, "rb").close()  # raises where it is missing
        raise output.OutputError(f"{name}: is not a regular file: leave it out")
    line, rows = MovingLine(not settings.quiet), []
    for codec in run.codecs:
        line.draw(f"{name}: {codec.name} …")
        try:
            row = measure(codec, Path(name), repeat=run.repeat)
        finally:
            line.clear()
        if row.error:
            note(f"tokpress: {name}: {codec.name}: {row.error}")
        rows.append(row)
    return rows


# --- report


def _report(settings: Settings, run: "Run") -> None:
    from tokpress.bench import report

    if settings.json:
        figures = report.as_json(run, ["tokpress", *sys.argv[1:]])
        if settings.json == "-":
            show_json(figures)
        else:
            with streams.destination(settings.json, settings.force) as out:
                out.write((json.dumps(figures, indent=2) + "\n").encode())
    if settings.prints_table:
        _print_table(run)
    if settings.plot:
        with streams.destination(settings.plot, settings.force) as out:
            report.plot(run, out, os.path.splitext(settings.plot)[1][1:])
    if settings.html:
        from .bench_page import page

        with streams.destination(settings.html, settings.force) as out:
            out.write(page(run))


def _print_table(run: "Run") -> None:
    from tokpress.bench.report import table

    show_table(table(run))
