"""The structure of the source tree, counted, now and before the files moved into rooms; and the way of a source's bytes."""

import io
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import source_counts as count
from .data import ROOT
from .data_path import Stop, climbs, way
from .pages import markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .source_counts import Tree
from .store import Results

#: the first version: the last commit before the native core, the rooms and the new contracts
BEFORE = "b9d00de47080b44b039c1888a15ffac9237ab72d"
MAX_STOPS, MAX_CLIMBS = 12, 2
#: English, which the text model codes
SAMPLE = "docs/exactness.md"


class Row(NamedTuple):
    """A count of the page. find: what is counted, one line each, or a number."""

    name: str
    meaning: str
    find: Callable[[Tree], list[str] | int]
    #: whether the page lists what is found now
    listed: bool = False


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


ROWS = (
    Row("loose files", "Python files in tokpress/ itself, outside its folders.", count.loose_files),
    Row("import circles", "Groups of modules of which each imports the others, directly or not. Imports within functions and under "
        "TYPE_CHECKING count.", lambda tree: list(map(", ".join, count.circles(tree.imports))), True),
    Row("upward imports", "Imports of a room further up than one's own. Loose files are the lowest room, since every room uses "
        "them; the public API and the conformance kit stand above all.", count.upward_imports, True),
    Row("members of Tokenizer", "Attributes and methods of the contract, without those of Python's own.",
        lambda tree: count.members(tree, "Tokenizer")),
    Row("members of Prior", "The same.", lambda tree: count.members(tree, "Prior")),
    Row("untyped networks", "Parameters `m: Any`: the operations of a network, which no type describes.", count.untyped_networks, True),
    Row("private names used elsewhere", "Names with a leading underscore that another file uses, benchmarks included.",
        count.private_uses, True),
    Row("attributes set from outside", "Assignments to an attribute that only classes of other files define. By name: a class of "
        "another library may have it.", count.outside_sets, True),
    Row("module-level state", "Names of modules whose content calls change: registries, locks, context variables, caches. Results "
        "that functools keeps do not count.", count.changed_state, True),
    Row("`MOST_` constants", "Limits by another name than `MAX_`.", lambda tree: count.constants(tree, "MOST_"), True),
    Row("long functions", f"Functions of more than {count.MAX_FUNCTION_LINES} lines.", count.long_functions, True),
    Row("branching functions", f"Functions of more than {count.MAX_BRANCHES} branches: if, for, while, except, case, and, or.",
        count.branching_functions, True),
    Row("long files", f"Files of more than {count.MAX_LINES} lines of Python or C, tests and benchmarks included.", count.long_files, True),
    Row("files in benchmarks/", "Python files.", lambda tree: len(tree.files("benchmarks", kinds=["py"]))),
    Row("bytes of results", "Size of benchmarks/results/.", lambda tree: _size(tree.root / "benchmarks" / "results")),
    Row("tests", "Functions `test_…`; one with parameters counts once.", count.test_functions),
    Row("patches in tests", "Calls of monkeypatch.setattr.", count.patches),
)  # fmt: skip


def counted(root: Path) -> dict[str, Any]:
    """Name of a row → what is found: lines, or a number."""
    tree = Tree(root)
    return {row.name: row.find(tree) for row in ROWS}


def counted_at(commit: str) -> dict[str, Any]:
    """Raises MeasurementError where there is no such commit."""
    job = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True)
    if job.returncode:
        raise MeasurementError(f"{commit}: git archive: {job.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(job.stdout)) as archive:
            archive.extractall(folder, filter="data")
        return counted(Path(folder))


def page(before: dict[str, Any], now: dict[str, Any], stops: list[Stop], commit: str, made_by: str) -> list[str]:
    def number(value: list[str] | int) -> str:
        return f"{value if isinstance(value, int) else len(value):,}"

    rows = [[row.name, *(number(each[row.name]) for each in (before, now))] for row in ROWS]
    lines = [
        "# The structure, counted",
        "",
        f"Counts of the source tree, of this state and of commit {commit[:8]}.",
        "",
        *markdown(["", "before", "now"], rows),
        "",
        "## The rows",
        "",
        *(f"* {row.name}: {row.meaning}" for row in ROWS),
        "",
    ]
    for row in ROWS:
        if row.listed and now[row.name]:
            shown = dict.fromkeys(re.sub(r":\d+:", ":", each) for each in now[row.name])  # without numbers of lines
            lines += [f"## Now: {row.name}", "", *(f"* `{each}`" for each in shown), ""]
    return [*lines, *path_lines(stops), made_by]


def path_lines(stops: list[Stop]) -> list[str]:
    up = climbs(stops)
    rows = [[str(i), f"tokpress/{stop.file}", ", ".join(stop.functions)] for i, stop in enumerate(stops, 1)]
    lines = [
        "## From compress to the range coder",
        "",
        f"The files through which the bytes of {SAMPLE}, and their tokens, go: {len(stops)} stops (at most {MAX_STOPS} are asked) with "
        f"{len(up)} climbs to a room further up (at most {MAX_CLIMBS}). Recorded while `tokpress.compress` runs; functions of one file in "
        "a row are one stop. Beside the way lie lzma, which packs the same bytes, and the check that tokens restore them.",
        "",
        *markdown(["", "file", "functions"], rows),
        "",
        *(f"* A climb: from tokpress/{a.file} to tokpress/{b.file}." for a, b in up),
    ]
    return [*lines, ""] if up else lines


@benchmark("structure", page="docs/structure.md", takes="10 seconds", settings={"before": BEFORE})
class Structure(Benchmark):
    """The structure of the source tree, counted, now and at an older commit; and the way of a source's bytes."""

    stored = False

    def cases(self, setup: Setup) -> Cases:
        return {
            "before": lambda: counted_at(setup.settings["before"]),
            "now": lambda: counted(ROOT),
            "way": lambda: way((ROOT / SAMPLE).read_bytes()),
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        if not all(case in results for case in ("before", "now", "way")):
            return []
        found = results.values()
        stops = [Stop(file, tuple(functions)) for file, functions in found["way"]]
        lines = page(found["before"], found["now"], stops, setup.settings["before"], results.made_by(machine=False))
        write_page(setup.docs / "structure.md", lines)
        return []
