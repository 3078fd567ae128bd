"""What it costs context mixing to cut a file into pieces that are coded apart: `python benchmarks/cuts.py FILE…`

Prints a table: bytes of the file, bytes of the whole coded at once, and how much more the pieces take, of 2, 4 and 8.
"""

from pathlib import Path

import click
from results import markdown

from tokpress.native.adaptive import encode

PIECES = (2, 4, 8)


def in_pieces(data: bytes, count: int) -> int:
    size = -(-len(data) // count)
    return sum(len(encode(data[at : at + size])) for at in range(0, len(data), size))


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(files):
    rows = []
    for path in files:
        data = path.read_bytes()
        whole = in_pieces(data, 1)
        more = [f"{in_pieces(data, count) / whole - 1:+.2%}" for count in PIECES]
        rows.append([path.name, f"{len(data):,}", f"{whole:,}", *more])
    print("\n".join(markdown(["file", "bytes", "coded", *(f"{count} pieces" for count in PIECES)], rows)))


if __name__ == "__main__":
    main()
