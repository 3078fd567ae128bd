"""tokpress bench"""

import json
import os
import sys
from importlib.util import find_spec

import click

from . import jobs, options, output, streams
from .main import Failure
from .place import identities
from .terminal import MovingLine, note, show_json, show_table

PEERS = "xz,zstd,brotli,bzip3,ppmd,zpaq"
PLOTS = (".png", ".svg", ".pdf")


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.Name(), metavar="FILE|DIR...")
@click.option(
    "--against", default=PEERS, show_default=True, metavar="PEER,…",
    help="Measure these beside tokpress; PEER:LEVEL for another level than the strongest.",
)  # fmt: skip
@click.option("-m", "--model", "models", multiple=True, metavar="NAME|DIR", help="Measure this model too; repeatable.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Best time of N.")
@click.option("--json", "as_json", metavar="FILE", help="Write all figures as JSON (-: to stdout, without the table).")
@click.option("--plot", metavar="FILE.png", help="Plot bits per byte against decompression speed.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the files of --json and --plot.")
@options.all_of(options.threads, options.quiet, options.verbose)
@click.pass_context
def bench(ctx, files, against, models, repeat, as_json, plot, force, quiet, verbose):
    """Measure tokpress and other compressors on FILEs, and on all files in DIRs.

    Each codec compresses and decompresses each file in processes of its own. Times are those of the whole
    process, start and loading of the model included; every decode is compared with the source. Peers that
    are not installed are skipped.
    """
    found = _found(files)
    measured = {key for name in found for key in identities(name)}
    for path in filter(None, (as_json, plot)):
        if path != "-":
            output.check(path, "-", force)
            if measured.intersection(identities(path)):
                raise output.OutputError(f"{path}: is one of the files to measure: choose another name")
    if as_json and plot and set(identities(as_json)) & set(identities(plot)):
        raise click.UsageError("--json and --plot name one file")
    if plot and os.path.splitext(plot)[1] not in PLOTS:
        raise click.UsageError(f"--plot {plot}: its name must end in {', '.join(PLOTS)}")
    _need("bench", *["rich"] * (as_json != "-"), *["matplotlib"] * bool(plot))
    run = _prepared(against, models, repeat, quiet)
    failed = False
    try:
        jobs.each(ctx, found, lambda name: _measure(run, name, quiet))
    except click.exceptions.Exit:  # some file could not be read
        failed = True
    except KeyboardInterrupt:
        if run.rows and as_json != "-":
            _print(run)
        raise
    if run.rows:
        _report(run, as_json, plot, force)
    if failed or run.failures:
        ctx.exit(1)


def _need(extra: str, *packages: str) -> None:
    """Tell before hours of work that a package is missing."""
    for package in packages:
        if find_spec(package) is None:
            raise Failure(f"this needs {package}: pip install 'tokpress[{extra}]'")


def _prepared(against: str, models: tuple[str, ...], repeat: int, quiet: bool):
    """The run, without the peers that are not here."""
    from tokpress.bench import measure
    from tokpress.bench.codec import BenchError
    from tokpress.models import store

    for name in models:
        store.load(name)  # raises for what is no model
    peers = list(dict.fromkeys(name.strip() for name in against.split(",") if name.strip()))
    try:
        run = measure.prepare(["tokpress", *(f"tokpress:{name}" for name in models), *peers], repeat)
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    for name, reason in run.skipped.items():
        note(f"tokpress: {name} is skipped: {reason}", quiet)
    if peers and len(run.skipped) == len(peers):
        raise Failure("none of the peers asked for is installed; --against '' measures tokpress alone")
    return run


def _found(names: tuple[str, ...]) -> list[str]:
    """Files as they are; for a folder, all files in it."""
    found: list[str] = []
    for name in names:
        if not os.path.isdir(name):
            found.append(name)
            continue
        inside = sorted(os.path.join(place, file) for place, _, files in os.walk(name) for file in files)
        if not inside:
            raise Failure(f"{name}: holds no files")
        found += filter(os.path.isfile, inside)  # no sockets, no dangling links
    return found


def _measure(run, name: str, quiet: bool) -> None:
    """Every codec on one file. The rows count only when all are there."""
    from pathlib import Path

    from tokpress.bench.measure import measure

    line = MovingLine(not quiet)
    if not os.path.isfile(name):
        open(name, "rb").close()  # raises where it is missing
        raise output.OutputError(f"{name}: is no regular file")
    rows = []
    for codec in run.codecs:
        line.draw(f"{name}: {codec.name} …")
        try:
            rows.append(measure(codec, Path(name), repeat=run.repeat))
        finally:
            line.clear()
        if rows[-1].error:
            note(f"tokpress: {name}: {codec.name}: {rows[-1].error}")
    run.rows += rows


def _report(run, as_json: str | None, plot: str | None, force: bool) -> None:
    from tokpress.bench import report

    if as_json:
        figures = report.as_json(run, ["tokpress", *sys.argv[1:]])
        if as_json == "-":
            show_json(figures)
        else:
            with streams.destination(as_json, force) as out:
                out.write((json.dumps(figures, indent=2) + "\n").encode())
    if as_json != "-":
        _print(run)
    if plot:
        with streams.destination(plot, force) as out:
            report.plot(run, out, os.path.splitext(plot)[1][1:])


def _print(run) -> None:
    from tokpress.bench.report import table

    show_table(table(run))
