"""Every codec on the test files: the table and the example in README.md, and every file in docs/results.md."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from tokpress.bench.codec import Codec
from tokpress.bench.measure import Row, Run, measure, prepare, total
from tokpress.bench.peers import ZstdDictionary
from tokpress.bench.report import HEAD, PACKAGES, cells, plot

from .data import ENGLISH, MIXED, chosen
from .pages import check_marks, figures_table, markdown, write_page, write_part
from .registry import Benchmark, Cases, Setup, benchmark
from .small_files import Dictionary, texts
from .store import Results
from .targets import Rows, asked

SETS = {"English": ENGLISH, "mixed": MIXED}
#: codec → the sets that it is measured on, where that is not all
ONLY = {"tokpress:best": ("English",)}
#: each codec codes it once, not counted, before its first measurement: what is used for the first time may be slower
WARM = "text/calgary/paper1"
SEPARATOR = " on "
Sets = dict[str, list[Row]]


def compact(row: Row) -> dict[str, Any]:
    """A row without its name, without what follows from other fields and without empty fields."""
    return {
        field.name: value
        for field in fields(Row)
        if field.name not in ("file", "codec") and (value := getattr(row, field.name)) != _default(field)
    }


def _default(field: Any) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def rows_of(values: dict[str, dict[str, Any]]) -> dict[str, list[Row]]:
    """Set → its rows, file by file in the order of the set."""
    rows = [Row(file, codec, **value) for key, value in values.items() for codec, _, file in [key.partition(SEPARATOR)]]
    found = {name: [row for file in files for row in rows if row.file == file] for name, files in SETS.items()}
    return {name: some for name, some in found.items() if some}


@benchmark(
    "rates",
    page="README.md, docs/results.md, docs/rates.svg",
    takes="1 hour (15 minutes with --set models=fast --set against=zpaq,xz)",
    settings={
        "against": ("xz", "zstd", "brotli", "bzip3", "ppmd", "zpaq"),
        "models": ("fast", "best"),
        "repeat": 1,
    },
)
class Rates(Benchmark):
    """Bytes, speed and memory of tokpress beside other compressors, each on English and mixed files, in whole processes.

    Peers that are not installed are left out. zstd's dictionary is learned from pieces of the text that the shipped models were trained
    on, where that is. `tokpress --best` is measured on English only, which takes most of the time.
    """

    packages = PACKAGES

    def cases(self, setup: Setup) -> Cases:
        check_marks(setup.root / "README.md", self.name, "rates")
        sets = {name: some for name, names in SETS.items() if (some := chosen(setup.bench, names))}
        ours = ["tokpress", *(f"tokpress:{model}" for model in setup.settings["models"])]
        run = prepare([*ours, *setup.settings["against"], *dictionary(setup)], setup.settings["repeat"])
        for name, reason in run.skipped.items():
            print(f"{name} is left out: {reason}", file=sys.stderr)
        setup.facts["codecs"] = {codec.name: codec.describe() for codec in run.codecs}
        warm: set[str] = set()

        def one(codec: Codec, name: str, path: Path) -> dict[str, Any]:
            if codec.name not in warm:
                warm.add(codec.name)
                measure(codec, setup.bench.get(WARM, path), WARM, 1)
            return compact(measure(codec, path, name, run.repeat))

        return {
            f"{codec.name}{SEPARATOR}{name}": lambda c=codec, n=name, p=path: one(c, n, p)
            for set_name, some in sets.items()
            for name, path in some.items()
            for codec in run.codecs
            if set_name in ONLY.get(codec.name, SETS)
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        rows = rows_of(results.values())
        if not rows:
            return []
        totals = {name: totals_of(name, some) for name, some in rows.items()}
        write_part(setup.root / "README.md", self.name, by_kind(rows, results), "rates")
        write_page(setup.docs / "results.md", long(rows, totals, results))
        if "English" in rows:
            codecs = [_Named(row.codec) for row in totals["English"]]
            with (setup.docs / "rates.svg").open("wb") as out:
                plot(Run(codecs, rows=rows["English"]), out, "svg")  # type: ignore[arg-type]
        return []

    def failures(self, results: Results) -> list[str]:
        return [
            f"{row.file}: {row.codec}: {row.error}"
            for some in rows_of(results.values()).values()
            for row in some
            if row.error
        ]


class _Named:
    """Stands for a codec that is not installed where only the page is written."""

    def __init__(self, name: str) -> None:
        self.name = name


def dictionary(setup: Setup) -> list[str]:
    """The codec of zstd with a dictionary, where zstd is asked for and the text to learn it from is there."""
    if "zstd" not in setup.settings["against"] or not (setup.train_data / "text").is_dir():
        return []
    file = setup.work / "zstd.dictionary"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Dictionary(list(texts(setup.train_data))).made.as_bytes())
    return [f"{ZstdDictionary.kind}:{file}"]


def totals_of(set_name: str, rows: list[Row]) -> list[Row]:
    """A row for each codec, over all files of the set."""
    files = len({row.file for row in rows})
    codecs = dict.fromkeys(row.codec for row in rows)
    return [total((r for r in rows if r.codec == codec), f"{set_name}, {files} files") for codec in codecs]


#: kinds of files in README's table
KINDS = {
    "English prose": ENGLISH,
    "source code": (*(f"text/calgary/prog{c}" for c in "clp"), "text/canterbury/fields.c"),
    "logs": tuple(name for name in MIXED if name.startswith("logs/")),
    "JSON": tuple(name for name in MIXED if name.startswith("json/")),
}
#: codecs in README's table
SHOWN = {"tokpress": "tokpress", "tokpress:fast": "tokpress --fast", "zpaq": "zpaq -m5", "xz": "xz -9e"}


def by_kind(rows: Sets, results: Results) -> list[str]:
    """README's table: a line for each kind of files, a column for each codec: size, and speed out and back."""
    every = [row for some in rows.values() for row in some if not row.error]
    measured_as = {codec: (codec, level(codec, every)) for codec in SHOWN}
    lines = []
    for kind, names in KINDS.items():
        cells_of = []
        for codec in SHOWN:
            found = [row for row in every if row.codec in measured_as[codec] and row.file in names]
            cells_of.append(_size_and_speed(total(iter(found))) if found else "–")
        size = sum({row.file: row.source_bytes for row in every if row.file in names}.values())
        lines.append([f"{kind}, {size / 1e6:.1f} MB", *cells_of])
    kinds = {file for names in KINDS.values() for file in names}
    shown = [
        key for key in results.values() for codec, _, file in [key.partition(SEPARATOR)]
        if file in kinds and any(codec in names for names in measured_as.values())
    ]  # fmt: skip
    return [
        *markdown(["", *SHOWN.values()], lines), "",
        "A cell has bits per byte, then MB/s of compression and of decompression, of whole processes on two cores. Every decode was compared with its source. "
        f"{results.made_by(shown)}",
    ]  # fmt: skip


def level(codec: str, rows: list[Row]) -> str | None:
    """A codec that was measured at another level than its default: "xz:6" for "xz"."""
    return next(
        (row.codec for row in rows if row.codec.startswith(f"{codec}:") and not codec.startswith("tokpress")), None
    )


def _size_and_speed(row: Row) -> str:
    out, back = (
        row.source_bytes / 1e6 / max(seconds, 1e-9) for seconds in (row.compress_seconds, row.decompress_seconds)
    )
    return f"{row.bits_per_byte or 0:.3f}; {out:.2g}, {back:.2g}"


def long(rows: Sets, totals: Sets, results: Results) -> list[str]:
    lines = [
        "# Results", "", results.made_by(), "",
        "Each codec ran in its own processes. Seconds and peak memory are those of the whole process, including start and "
        "loading of the model. Every decode was compared with its source. MB are 10⁶ bytes. "
        "Compressed bytes do not include model bytes.", "",
    ]  # fmt: skip
    codecs: dict[str, str] = {}
    for run in results.runs:
        codecs |= run["facts"].get("codecs", {})
    lines += [f"* `{name}`: {what}" for name, what in codecs.items()]
    good: Rows = {}
    for set_name, some in rows.items():
        for row in some:
            if not row.error:
                good.setdefault(set_name, {}).setdefault(row.codec, {})[row.file] = row
    if figures := asked(good):
        lines += ["", "## Asked and measured", "", *figures_table(figures)]
    for set_name, found in totals.items():
        lines += ["", f"## {found[0].file}, {found[0].source_bytes:,} bytes", ""]
        lines += [*markdown(list(HEAD), [cells(row) for row in found]), "", "Bits per byte of each file:", ""]
        lines += markdown(
            ["file", "bytes", *(row.codec for row in found)], by_file(rows[set_name], [r.codec for r in found])
        )
    return lines


def by_file(rows: list[Row], codecs: list[str]) -> list[list[str]]:
    """Bits per byte, a line for each file."""
    files: dict[str, dict[str, Row]] = {}
    for row in rows:
        files.setdefault(row.file, {})[row.codec] = row
    return [
        [name, f"{next(iter(some.values())).source_bytes:,}",
         *((cells(some[codec])[2] or "failed") if codec in some else "–" for codec in codecs)]
        for name, some in files.items()
    ]  # fmt: skip


# --- the example of README.md ------------------------------------------------------------------------------------

BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def example(root: Path) -> str:
    """The console block of README.md as its commands print it today, in a copy of the repository's documents."""
    match = BLOCK.search((root / "README.md").read_text("utf-8"))
    commands = re.findall(r"^\$ (.*)\n", match[0], re.MULTILINE) if match else []
    with tempfile.TemporaryDirectory() as place:
        for path in [*root.glob("*.md"), *root.glob("docs/*.md")]:
            copy = Path(place) / path.relative_to(root)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
        return "".join(f"$ {command}\n{_printed(command, place)}" for command in commands)


def _printed(command: str, place: str) -> str:
    """stdout and stderr, as a terminal shows them."""
    words = [sys.executable, "-m", "tokpress.cli", *command.split()[1:]]
    done = subprocess.run(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}")
    return done.stdout


@benchmark("readme", page="README.md", takes="a few seconds")
class Readme(Benchmark):
    """Runs the console example of README.md and writes its output into README.md."""

    stored = False

    def cases(self, setup: Setup) -> Cases:
        return {"example": lambda: example(setup.root)}

    def report(self, results: Results, setup: Setup) -> list[str]:
        readme = setup.root / "README.md"
        if text := results.values().get("example"):
            readme.write_text(BLOCK.sub(lambda match: text, readme.read_text("utf-8"), count=1), "utf-8")
        return []
