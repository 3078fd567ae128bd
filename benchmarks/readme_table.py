"""python benchmarks/readme_table.py: measure all codecs on the bench files, write the table of README.md.

Also docs/results.md (every file, every codec) and benchmarks/results/rates.json. A run that was stopped
goes on where it was. Peers that are not installed are left out.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from data import ENGLISH, FOLDER, MIXED, ROOT, SCRATCH, chosen, expanded
from results import Results, machine_line, markdown, unwind_when_terminated

from tokpress.bench.measure import Row, measure, prepare, total
from tokpress.bench.report import HEAD, cells

BEGIN, END = "<!-- rates: benchmarks/readme_table.py writes what follows -->", "<!-- end of rates -->"
SETS = {"English": ENGLISH, "mixed": MIXED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where archives are expanded (%(default)s)")
    parser.add_argument("--against", default="xz,zstd,brotli,bzip3,ppmd,zpaq", help="the peers (%(default)s)")
    parser.add_argument("-m", "--model", action="append", default=["adaptive"], help="also this model (adaptive)")
    parser.add_argument("--repeat", type=int, default=1, help="best time of so many (%(default)s)")
    parser.add_argument("--root", type=Path, default=ROOT, help="write README.md, docs and results below this folder")
    asked = parser.parse_args()
    unwind_when_terminated()

    readme = asked.root / "README.md"
    text = readme.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        sys.exit(f"{readme}: must hold these two lines, once each, in this order:\n{BEGIN}\n{END}")
    files = expanded(asked.data, asked.scratch)
    sets = {name: some for name, names in SETS.items() if (some := chosen(files, names))}
    if not sets:
        sys.exit(f"{asked.data}: none of the bench files is there")
    run = prepare(["tokpress", *(f"tokpress:{m}" for m in asked.model), *asked.against.split(",")], asked.repeat)
    for name, reason in run.skipped.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)

    results = Results(asked.root / "benchmarks" / "results" / "rates.json")
    section = results.section("rates")
    rows: dict[str, list[Row]] = {}
    for set_name, some in sets.items():
        for name, path in some.items():
            for codec in run.codecs:

                def make(codec=codec, path=path, name=name) -> dict[str, Any]:
                    return measure(codec, path, name, run.repeat).to_json()

                key = f"{codec.name} × {asked.repeat} on {name}"
                rows.setdefault(set_name, []).append(row_of(section.once(key, make)))
    names = [codec.name for codec in run.codecs]
    totals = {
        set_name: [total([r for r in found if r.codec == name], f"{set_name}, {len(some)} files") for name in names]
        for set_name, found in rows.items()
        for some in [sets[set_name]]
    }
    section.data["codecs"] = {codec.name: codec.describe() for codec in run.codecs}
    section.data["totals"] = {set_name: [row.to_json() for row in found] for set_name, found in totals.items()}
    results.write()

    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{short(rows, totals, results.data, section.data)}\n{END}{after}")
    page = asked.root / "docs" / "results.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(long(rows, totals, results.data, section.data))
    failed = [row for found in rows.values() for row in found if row.error]
    for row in failed:
        print(f"{row.file}: {row.codec}: {row.error}", file=sys.stderr)
    sys.exit(bool(failed))


def row_of(told: dict[str, Any]) -> Row:
    return Row(**{field.name: told[field.name] for field in fields(Row)})


def short(
    rows: dict[str, list[Row]], totals: dict[str, list[Row]], data: dict[str, Any], section: dict[str, Any]
) -> str:
    """README's table: a line per codec, rates of each set, speed and memory over all of them."""
    lines = []
    for same_codec in zip(*totals.values()):
        whole = total(same_codec)
        rates = ["–" if row.bits_per_byte is None else f"{row.bits_per_byte:.3f}" for row in same_codec]
        _, _, _, *rest = cells(whole) if not whole.error else [""] * len(HEAD)
        lines.append([whole.codec, *rates, *rest])
    sizes = "; ".join(f"{rows[0].file}, {rows[0].source_bytes:,} bytes" for rows in totals.values())
    failed = [f"{row.codec} on {row.file}" for found in rows.values() for row in found if row.error]
    note = f" Not restored, so without a total: {', '.join(failed)}." if failed else ""
    head = ["codec", *(f"{name}, bits per byte" for name in totals), *HEAD[3:]]
    return "\n".join([
        "", *markdown(head, lines), "",
        f"{sizes}. Speeds and peak memory are those of whole processes, start and loading of the model included, over "
        f"all files ({section['finished']}, {data['machine']['cpu']}, {data['machine']['cores']} cores). "
        f"Every decode was compared with its source.{note} Levels, versions and every file: "
        f"[docs/results.md](docs/results.md); made by `{section['command']}`.", "",
    ])  # fmt: skip


def long(
    rows: dict[str, list[Row]], totals: dict[str, list[Row]], data: dict[str, Any], section: dict[str, Any]
) -> str:
    lines = [
        "# Results", "",
        f"Made by `{section['command']}` (code {section['code']}), finished {section['finished']}, "
        f"load average at the end {section['load']}.", "", machine_line(data["machine"]) + ".", "",
        "Each codec ran in processes of its own; seconds and peak memory are those of the whole process, start and "
        "loading of the model included. Every decode was compared with its source. MB are 10⁶ bytes. "
        "Model bytes are not part of the compressed bytes.", "",
    ]  # fmt: skip
    lines += [f"* `{name}`: {what}" for name, what in section["codecs"].items()]
    for set_name, found in totals.items():
        lines += ["", f"## {found[0].file}, {found[0].source_bytes:,} bytes", ""]
        lines += [*markdown(list(HEAD), [cells(row) for row in found]), "", "Bits per byte of each file:", ""]
        by_file: dict[str, list[Row]] = {}
        for row in rows[set_name]:
            by_file.setdefault(row.file, []).append(row)
        lines += markdown(
            ["file", "bytes", *(row.codec for row in found)],
            [[name, f"{some[0].source_bytes:,}", *(cells(row)[2] or "failed" for row in some)] for name, some in by_file.items()],
        )  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
