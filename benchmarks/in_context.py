"""What a file costs after the model has read another one: `tokpress score --context`, as docs/in_context.md shows it.

    python benchmarks/in_context.py [--data FOLDER] [--scratch FOLDER]

Bits per byte of the second file under the shipped text model, in one lane, alone and after each context. Nothing is
trained: the recurrent state and the memory of what was read do it. Only the first 40,000 bytes of every file are used.
"""

import sys
from pathlib import Path

import click
from data import FOLDER, ROOT, SCRATCH, expanded
from results import Results, machine_line, markdown

import tokpress

RESULT = Path(__file__).with_name("results") / "in_context.json"
BYTES = 40_000
#: (what is scored, what is read first), from the data folder; a half is of the first 2 · BYTES of a file
PAIRS = [
    ("text/calgary/paper2", "text/calgary/paper1", "another paper on computing"),
    ("text/calgary/progp", "text/calgary/progc", "a program in another language"),
    ("logs/HDFS_2k.log#2", "logs/HDFS_2k.log#1", "the log's first half"),
    ("logs/Apache_2k.log#2", "logs/Apache_2k.log#1", "the log's first half"),
    ("text/canterbury/alice29.txt#2", "text/canterbury/alice29.txt#1", "the book's first half"),
    ("text/canterbury/alice29.txt#2", "logs/HDFS_2k.log#1", "a log, which has nothing to do with it"),
]


def part(files: dict[str, Path], name: str) -> bytes:
    path, _, half = name.partition("#")
    data = files[path].read_bytes()
    return data[BYTES : 2 * BYTES] if half == "2" else data[:BYTES]


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=FOLDER)
@click.option("--scratch", type=click.Path(path_type=Path), default=SCRATCH)
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Where docs/ and benchmarks/results/ are.")
def main(data, scratch, root):
    results = Results(root / RESULT.relative_to(ROOT))
    section = results.section("in context")
    files = expanded(data, scratch)
    model = tokpress.load("text")
    rows = []
    for name, before, what in PAIRS:
        if any(each.partition("#")[0] not in files for each in (name, before)):
            print(f"{name}: not there, left out", file=sys.stderr)
            continue
        alone = section.once(name, lambda name=name: model.score(part(files, name)).bits_per_byte)
        given = section.once(
            f"{name} given {before}",
            lambda name=name, before=before: model.score(part(files, name), context=part(files, before)).bits_per_byte,
        )
        rows.append([name, f"{before}: {what}", f"{alone:.3f}", f"{given:.3f}", f"{100 * (given / alone - 1):+.1f} %"])
    table = markdown(["scored", "read before, at no cost", "alone", "in context", ""], rows)
    (root / "docs/in_context.md").write_text(
        "\n".join(
            [
                "# In context",
                "",
                "A model that has read something like a file before may predict the file better, with nothing trained: the",
                "recurrent state and the memory of what was read do it; what is unlike it does harm. `tokpress score --context",
                "FIRST SECOND` tells by how much; bits per byte of 40,000 bytes each (`#1`, `#2`: the first and the second",
                "40,000 of a file):",
                "",
                *table,
                "",
                f"`python benchmarks/in_context.py`; {machine_line(results.data['machine'])}.",
                "",
            ]
        ),
        "utf-8",
    )


if __name__ == "__main__":
    main()
