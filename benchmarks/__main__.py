"""List the benchmarks, or run one of them.

\b
    python -m benchmarks                                  the list
    python -m benchmarks NAME                             measure what is missing, write the page
    python -m benchmarks NAME --only 'english*' --again   measure these cases again
    python -m benchmarks NAME --report                    write the page from stored results
    python -m benchmarks data --fetch FOLDER              download the public test files

A case is measured once for each state of the code, so a stopped call continues where it was. Cases of other code stay on the
page, with their date, until they are measured again.
"""

import signal
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

import benchmarks  # noqa: F401  registers all

from . import corpora
from .data import FOLDER, ROOT
from .pages import PageError
from .registry import REGISTRY, Benchmark, MeasurementError, OutOfTime, Setup
from .store import Results


def listing() -> list[str]:
    wide = max(map(len, REGISTRY))
    lines = []
    for each in REGISTRY.values():
        lines += [
            f"{each.name:{wide}}  {each.about()}",
            f"{'':{wide}}  takes {each.takes}; writes {each.page or 'a table to stdout'}",
        ]
        if each.settings:
            shown = ", ".join(f"{name}={_shown(value)}" for name, value in each.settings.items())
            lines.append(f"{'':{wide}}  settings: {shown}")
    return [
        *lines,
        f"{'data':{wide}}  Lists the test files and where they come from; --fetch FOLDER downloads the public ones.",
    ]


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parsed(defaults: dict[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """Values of --set NAME=VALUE, each with the type of its default.

    >>> parsed({"rounds": 3, "sizes": (1,)}, ("sizes=5,6",))
    {'sizes': (5, 6)}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in defaults:
            raise click.BadParameter(f"{word}: expected NAME=VALUE with NAME one of: {', '.join(defaults) or '(none)'}")
        try:
            found[name] = _as(defaults[name], value)
        except ValueError:
            raise click.BadParameter(f"{word}: expected a value such as {_shown(defaults[name])}") from None
    return found


def _as(default: Any, value: str) -> Any:
    if isinstance(default, bool):
        if value not in ("true", "false"):
            raise ValueError
        return value == "true"
    if isinstance(default, tuple):
        kind = type(default[0]) if default else str
        return tuple(kind(each) for each in value.split(",") if each)
    return type(default)(value)


def measure(
    each: Benchmark, setup: Setup, results: Results, only: tuple[str, ...], again: bool, missing: bool
) -> list[str]:
    """Measure the cases that are chosen and do not stand; what went wrong."""
    results.begin({k: v for k, v in setup.settings.items() if v != each.settings[k]}, each.packages, setup.facts)
    cases, wrong = each.cases(setup), []
    chosen = [name for name in cases if not only or any(fnmatchcase(name, pattern) for pattern in only)]
    if only and not chosen:
        raise click.BadParameter("no case matches --only; the cases are:\n" + "\n".join(cases))
    for name in chosen:
        if not again and (results.stands(name) or (missing and name in results)):
            continue
        if time.monotonic() > setup.deadline:
            break
        _say(f"{time.strftime('%H:%M:%S')}  {each.name}: {name}")
        try:
            results.keep(name, cases[name]())
        except OutOfTime:
            _say("out of time; the next call goes on here")
            break
        except (MeasurementError, FileNotFoundError) as error:  # of data or of a program that is not here
            wrong.append(f"{name}: {error}")
    return wrong


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@click.command(help=__doc__)
@click.argument("name", required=False)
@click.argument("files", nargs=-1, metavar="[FILE]…", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=FOLDER, envvar="TOKPRESS_DATA",
              help="Folder with bench/ and train/.  [default: $TOKPRESS_DATA or data/ in the repository]")  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="Only cases whose name matches, such as 'made_*'; repeatable."
)
@click.option("--again", is_flag=True, help="Measure stored cases again; models that are trained stay.")
@click.option("--missing", is_flag=True, help="Only cases without any result, whatever code made the others.")
@click.option("--report", is_flag=True, help="Measure nothing; write the page from stored results.")
@click.option("--minutes", type=float, default=float("inf"), help="Stop after this long; the next call goes on.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A setting of the benchmark; repeatable.")
@click.option("--work", type=click.Path(path_type=Path), default=ROOT / ".benchmarks",
              help="Folder for models and temporary files.  [default: .benchmarks in the repository]")  # fmt: skip
@click.option("--root", type=click.Path(path_type=Path), default=ROOT,
              help="Write docs/ and benchmarks/results/ below this folder.  [default: the repository]")  # fmt: skip
@click.option(
    "--fetch", type=click.Path(path_type=Path), metavar="FOLDER", help="With `data`: download into FOLDER/bench."
)
def main(name, files, data, only, again, missing, report, minutes, sets, work, root, fetch):
    # SIGTERM as an exception, so that processes being measured end too and their files are removed
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if name is None:
        click.echo("\n".join(listing()))
        return
    if name == "data":
        settings = parsed({"mirror": ""}, sets)
        wrong = corpora.fetch(fetch, only, settings.get("mirror", "")) if fetch else corpora.show(data)
        _end(wrong)
        return
    if name not in REGISTRY:
        raise click.BadParameter(f"{name}: no such benchmark; there are: {', '.join(REGISTRY)}, data")
    each = REGISTRY[name]
    if files and not each.takes_files:
        raise click.BadParameter(f"{files[0]}: {name} takes no FILE")
    deadline = time.monotonic() + 60 * minutes
    setup = Setup(data, work / name, root, files, each.settings | parsed(each.settings, sets), deadline)
    results = Results(root / "benchmarks" / "results" / f"{name}.json" if each.stored else None, name)
    try:
        wrong = [] if report else measure(each, setup, results, only, again, missing)
        if lines := each.report(results, setup):
            click.echo("\n".join(lines))
    except PageError as error:
        raise click.ClickException(str(error)) from None
    _end(wrong + each.failures(results))


def _end(wrong: list[str]) -> None:
    for line in wrong:
        _say(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
