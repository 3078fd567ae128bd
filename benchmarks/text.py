"""python benchmarks/text.py: measure all codecs on the bench files, write the table of README.md.

Also docs/results.md (every file, every codec), docs/rates.svg (English: bits per byte against speed) and
benchmarks/results/rates.json. A run that was stopped goes on where it was. Peers that are not installed are left out.
zstd's dictionary is learned from pieces of the text that the shipped models were trained on, where that is.
`tokpress --best` and `text-large` are measured on English only, which takes 50 minutes as it is; `-m fast` leaves them out.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from data import BINARY, ENGLISH, FOLDER, MIXED, ROOT, SCRATCH, chosen, expanded
from results import Figure, Results, figures_table, machine_line, markdown, unwind_when_terminated
from small_files import Dictionary, texts

from tokpress.bench.codec import Codec
from tokpress.bench.measure import Row, Run, measure, prepare, total
from tokpress.bench.peers import ZstdDictionary
from tokpress.bench.report import HEAD, cells, plot

BEGIN, END = "<!-- rates: benchmarks/text.py writes what follows -->", "<!-- end of rates -->"
SETS = {"English": ENGLISH, "mixed": MIXED}
#: codec → the sets that it is measured on, where that is not all
ONLY = {"tokpress:best": ("English",), "tokpress:text-large": ("English",)}
#: measured once for nothing by each codec that measures anything: what is used for the first time may be compiled
WARM = "text/calgary/paper1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where archives are expanded (%(default)s)")
    parser.add_argument("--against", default="xz,zstd,brotli,bzip3,ppmd,zpaq", help="the peers (%(default)s)")
    parser.add_argument(
        "-m", "--model", action="append", help="also this effort, or model; without any, fast, best and text-large"
    )
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
    models = asked.model or ["fast", "best", "text-large"]
    ours = ["tokpress", *(f"tokpress:{m}" for m in models)]
    run = prepare([*ours, *asked.against.split(","), *dictionary(asked)], asked.repeat)
    for name, reason in run.skipped.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)

    results = Results(asked.root / "benchmarks" / "results" / "rates.json")
    section = results.section("rates")
    rows: dict[str, list[Row]] = {}
    warm: set[str] = set()
    for set_name, some in sets.items():
        for name, path in some.items():
            for codec in of_set(run.codecs, set_name):

                def make(codec=codec, path=path, name=name) -> dict[str, Any]:
                    if codec.name not in warm:
                        warm.add(codec.name)
                        measure(codec, files.get(WARM, path), WARM, 1)
                    return measure(codec, path, name, run.repeat).to_json()

                key = f"{codec.name} × {asked.repeat} on {name}"
                rows.setdefault(set_name, []).append(row_of(section.once(key, make)))
    totals = {
        set_name: [
            total([r for r in found if r.codec == codec.name], f"{set_name}, {len(sets[set_name])} files")
            for codec in of_set(run.codecs, set_name)
        ]
        for set_name, found in rows.items()
    }
    section.data["codecs"] = {codec.name: codec.describe() for codec in run.codecs}
    section.data["totals"] = {set_name: [row.to_json() for row in found] for set_name, found in totals.items()}
    results.write()

    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{short(rows, totals, results.data, section.data)}\n{END}{after}")
    page = asked.root / "docs" / "results.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(long(rows, totals, results.data, section.data))
    if "English" in rows:
        with (page.parent / "rates.svg").open("wb") as out:
            plot(Run(run.codecs, rows=rows["English"]), out, "svg")
    failed = [row for found in rows.values() for row in found if row.error]
    for row in failed:
        print(f"{row.file}: {row.codec}: {row.error}", file=sys.stderr)
    sys.exit(bool(failed))


def dictionary(asked: argparse.Namespace) -> list[str]:
    """The codec that is zstd with a dictionary, where zstd is asked for, and there is text to learn it from."""
    file, train = asked.scratch / "zstd.dictionary", asked.data.parent / "train"
    if "zstd" not in asked.against.split(",") or not train.is_dir():
        return []
    if not file.is_file():
        asked.scratch.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Dictionary(list(texts(train))).made.as_bytes())
    return [f"{ZstdDictionary.kind}:{file}"]


def of_set(codecs: list[Codec], set_name: str) -> list[Codec]:
    return [codec for codec in codecs if set_name in ONLY.get(codec.name, SETS)]


def row_of(told: dict[str, Any]) -> Row:
    return Row(**{field.name: told[field.name] for field in fields(Row)})


def short(
    rows: dict[str, list[Row]], totals: dict[str, list[Row]], data: dict[str, Any], section: dict[str, Any]
) -> str:
    """README's table: a line per codec, rates of each set, speed and memory over all that it was measured on."""
    lines = []
    for codec in dict.fromkeys(row.codec for found in totals.values() for row in found):
        same_codec = [next((row for row in found if row.codec == codec), None) for found in totals.values()]
        whole = total(row for row in same_codec if row)
        rates = [f"{row.bits_per_byte:.3f}" if row and row.bits_per_byte is not None else "–" for row in same_codec]
        first = next(row for row in same_codec if row)
        counted = 8 * ((first.compressed_bytes or 0) + first.model_bytes) / first.source_bytes
        rates.insert(1, f"{counted:.3f}" if first.model_bytes else "")
        _, _, _, *rest = cells(whole) if not whole.error else [""] * len(HEAD)
        lines.append([codec, *rates, *rest])
    sizes = "; ".join(f"{rows[0].file}, {rows[0].source_bytes:,} bytes" for rows in totals.values())
    failed = [f"{row.codec} on {row.file}" for found in rows.values() for row in found if row.error]
    note = f" Not restored, so without a total: {', '.join(failed)}." if failed else ""
    head = ["codec", *(f"{name}, bits per byte" for name in totals), *HEAD[3:]]
    head.insert(2, "with its models")
    return "\n".join([
        "", *markdown(head, lines), "",
        f"{sizes}. Speeds and peak memory are those of whole processes, start and loading of the model included, over "
        f"all files ({section['finished']}, {data['machine']['cpu']}, {data['machine']['cores']} cores, int8 products by {data['machine']['int8']}). "
        f"Every decode was compared with its source.{note} Levels, versions and every file: "
        f"[docs/results.md](docs/results.md); a picture: [docs/rates.svg](docs/rates.svg); made by `{section['command']}`.", "",
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
    if figures := asked(rows):
        lines += ["", "## Asked and measured", "", *figures_table([figure.to_json() for figure in figures])]
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


#: (set, our codec, peer, bytes of the files, share of the peer's bytes to be saved): each file must reach it
SAVED = (
    *(("English", ours, "zpaq", (10_000, 11_000_000), 0.2) for ours in ("tokpress", "tokpress:best")),
    *(
        ("English", ours, peer, (0, 100_000), least)
        for peer, least in (("brotli", 0.4), ("ppmd", 0.28))
        for ours in ("tokpress", "tokpress:best")
    ),
    ("mixed", "tokpress", "xz", (0, 1 << 62), 0.0),
)

#: English files → bits per byte, at most
AIMS = {"text/canterbury/alice29.txt": 1.42, "text/calgary/book1": 1.78, "silesia/dickens": 1.4}
#: (our codec, bytes of the files, bytes a second): so fast should each file be decoded
FAST_ENOUGH = (("tokpress", 100_000, 1e5), ("tokpress:text-large", 1_000_000, 4e4))
#: our codec → bytes of its models, at most
MODEL_SIZES = {"tokpress": 8_000_000, "tokpress:text-large": 25_000_000}


def asked(rows: dict[str, list[Row]]) -> list[Figure]:
    """What a text model was asked to show, of the codecs that were measured."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for set_name, some in rows.items():
        for row in some:
            if not row.error:
                found.setdefault((set_name, row.codec), {})[row.file] = row
    figures = []

    def pairs(set_name: str, ours: str, peer: str, low: int, high: int) -> list[tuple[Row, Row]]:
        mine, theirs = (found.get((set_name, codec), {}) for codec in (ours, peer))
        return [(mine[f], theirs[f]) for f in mine if f in theirs and low <= mine[f].source_bytes <= high]

    def texts_from(size: int, set_name: str, ours: str) -> list[Row]:
        mine = found.get((set_name, ours), {}).values()
        return [row for row in mine if row.source_bytes >= size and row.file not in BINARY]

    for set_name, ours, peer, (low, high), least in SAVED:
        saved = [
            (1 - a.compressed_bytes / b.compressed_bytes, a.file)
            for a, b in pairs(set_name, ours, peer, low, high)
            if a.compressed_bytes is not None and b.compressed_bytes
        ]
        if saved:
            good, worst = sum(share >= least for share, _ in saved), min(saved)
            sizes = "" if high > 1 << 60 else f", files of {low:,} to {high:,} bytes"
            told = f"{good} of {len(saved)} files; least {worst[0]:.1%} ({worst[1]})"
            name = f"{set_name}{sizes}: fewer bytes by {ours} than by {peer}"
            figures.append(Figure(name, f"≥ {least:.0%}, each", told, good == len(saved)))
    smaller = [
        (a.compressed_bytes or 0) < (b.compressed_bytes or 0)
        for a, b in pairs("mixed", "tokpress", "zpaq", 0, 1 << 62)
        if a.file not in BINARY
    ]
    if smaller:
        told = f"{sum(smaller)} of {len(smaller)} files"
        figures.append(
            Figure(
                "mixed, logs, JSON, source, tables, mark-up: smaller than zpaq's",
                "≥ 3 of 4",
                told,
                4 * sum(smaller) >= 3 * len(smaller),
            )
        )
    for file, most in AIMS.items():
        for ours in ("tokpress", "tokpress:best"):
            if (row := found.get(("English", ours), {}).get(file)) and row.bits_per_byte is not None:
                rate = row.bits_per_byte
                figures.append(Figure(f"{file}: bits per byte of {ours}", f"≤ {most:.2f}", f"{rate:.3f}", rate <= most))
    for ours, size, least in FAST_ENOUGH:
        for set_name in SETS:
            found_speeds = [(s, row.file) for row in texts_from(size, set_name, ours) if (s := row.speed("decompress"))]
            if found_speeds:
                slow = sum(s < least for s, _ in found_speeds)
                told = f"{len(found_speeds) - slow} of {len(found_speeds)} files; least {min(found_speeds)[0] / 1e3:.0f} KB/s ({min(found_speeds)[1]})"
                name = f"{set_name}, no binaries, files from {size:,} bytes: {ours} decompresses, whole processes"
                figures.append(Figure(name, f"≥ {least / 1e3:.0f} KB/s, each", told, not slow))
    both_ways = [
        (x / y, row.file)
        for set_name in SETS
        for row in texts_from(100_000, set_name, "tokpress")
        if (x := row.speed("compress")) and (y := row.speed("decompress"))
    ]
    if both_ways:
        good = sum(ratio >= 1 for ratio, _ in both_ways)
        told = f"{good} of {len(both_ways)} files; {min(both_ways)[0]:.2f} to {max(both_ways)[0]:.2f}"
        name = "both sets, no binaries, files from 100,000 bytes: tokpress compresses as fast as it decompresses"
        figures.append(Figure(name, "≥ 1, each", told, good == len(both_ways)))
    for ours, most_bytes in MODEL_SIZES.items():
        if row := next(iter(found.get(("English", ours), {}).values()), None):
            name = f"bytes of the models of {ours}"
            figures.append(Figure(name, f"≤ {most_bytes:,}", f"{row.model_bytes:,}", row.model_bytes <= most_bytes))
    for ours in ("tokpress", "tokpress:fast", "tokpress:best"):
        for action in ("compress", "decompress"):
            speeds = [
                (x / y, a.file)
                for a, b in pairs("English", ours, "zpaq", 1_000_000, 1 << 62)
                if (x := a.speed(action)) and (y := b.speed(action))
            ]
            if speeds:
                told = f"{min(speeds)[0]:.2f} to {max(speeds)[0]:.2f}"
                ok = min(speeds)[0] >= 1 if (ours, action) == ("tokpress", "decompress") else None
                name = f"English, files from 1 MB: {ours} {action}es as fast as zpaq, whole processes"
                figures.append(Figure(name, "≥ 1" if ok is not None else "–", told, ok))
    return figures


if __name__ == "__main__":
    main()
