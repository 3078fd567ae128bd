"""Many small files: one archive of `tokpress pack` beside a file each, and beside tar and xz. Writes the table of docs/archives.md.

    python benchmarks/archives.py [--report]

Sprites (PNG) and spoken digits (WAV) of the bench, and 1,000 digits of MNIST's test images as PGM files. With --content for the
sprites, whose pixels are what is stored then. What is unpacked is compared with what went in.
"""

import gzip
import io
import json
import lzma
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from data import ROOT
from results import machine_line, markdown
from training import tokpress

from tokpress.codec.archive import Archive
from tokpress.training.machine import describe

RESULT = Path(__file__).with_name("results") / "archives.json"
SHARED = ROOT.parent / "shared" / "data" / "bench"
DIGITS = 1000
#: around the table in docs/archives.md
BEGIN, END = "<!-- table: benchmarks/archives.py writes what follows -->", "<!-- end of table -->"


def sprites(folder: Path) -> None:
    with zipfile.ZipFile(SHARED / "images/sprites.zip") as held:
        for i, name in enumerate(sorted(n for n in held.namelist() if n.endswith(".png"))):
            (folder / f"{i:03}.png").write_bytes(held.read(name))


def voices(folder: Path) -> None:
    with zipfile.ZipFile(SHARED / "audio/spoken_digits.zip") as held:
        for name in sorted(n for n in held.namelist() if n.endswith(".wav")):
            (folder / Path(name).name).write_bytes(held.read(name))


def digits(folder: Path) -> None:
    raw = gzip.decompress((SHARED / "images/mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    for i, image in enumerate(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28 * 28)[:DIGITS]):
        (folder / f"{i:04}.pgm").write_bytes(b"P5 28 28 255\n" + image.tobytes())


#: name → (files, words of pack and compress)
CASES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "sprites, as files": (sprites, []),
    "sprites, --content": (sprites, ["--content"]),
    "digits, 28×28 PGM": (digits, []),
    "spoken digits, WAV": (voices, []),
}


def measure(write: Callable[[Path], None], words: list[str]) -> dict[str, Any]:
    with TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        write(folder)
        files = sorted(folder.iterdir())
        packed = Path(place) / "all.tokp"
        seconds = tokpress("pack", "-q", *words, folder, "-o", packed)
        tokpress("unpack", "-q", packed, "-o", Path(place) / "out")
        out = sorted((Path(place) / "out" / "files").iterdir())
        if not words and [p.read_bytes() for p in out] != [p.read_bytes() for p in files]:
            raise click.ClickException("what was unpacked is not what was packed")
        begun = time.monotonic()
        with packed.open("rb") as stream:
            archive = Archive(stream)
            archive.read(archive.names()[len(archive.names()) // 2])
        one = time.monotonic() - begun
        tokpress("compress", "-q", *words, *files)
        alone = sum(path.stat().st_size for path in folder.glob("*.tokp"))
        sources = out if words else files
        with tarfile.open(fileobj=(tar := io.BytesIO()), mode="w") as held:
            for path in sources:
                held.add(path, path.name)
        return {
            "files": len(files),
            "file_bytes": sum(path.stat().st_size for path in files),
            "stored_bytes": sum(path.stat().st_size for path in sources),
            "alone": alone,
            "archive": packed.stat().st_size,
            "tar_xz": len(lzma.compress(tar.getvalue(), preset=9 | lzma.PRESET_EXTREME)),
            "pack_seconds": round(seconds, 1),
            "one_seconds": round(one, 2),
        }


def report(kept: dict[str, Any]) -> None:
    head = [
        "files",
        "number",
        "bytes",
        "each in a .tokp",
        "one archive",
        "less by",
        "tar, xz -9e",
        "packing, s",
        "one file, s",
    ]
    rows = [
        [
            name, f"{m['files']:,}", f"{m['file_bytes']:,}", f"{m['alone']:,}", f"{m['archive']:,}",
            f"{1 - m['archive'] / m['alone']:.1%}", f"{m['tar_xz']:,}", f"{m['pack_seconds']:g}", f"{m['one_seconds']:g}",
        ]
        for name, m in kept["cases"].items()
    ]  # fmt: skip
    said = f"`python benchmarks/archives.py`, {kept['measured']}, {machine_line(kept['machine'])}."
    table = "\n".join(["", *markdown(head, rows), "", said, "", ""])
    page = ROOT / "docs" / "archives.md"
    before, rest = page.read_text("utf-8").split(BEGIN)
    page.write_text(before + BEGIN + "\n" + table + END + rest.split(END)[1], "utf-8")


@click.command()
@click.option("--report", "only_report", is_flag=True, help="Only write the table of docs/archives.md.")
def main(only_report):
    if not only_report:
        cases = {}
        for name, (write, words) in CASES.items():
            print(name, file=sys.stderr, flush=True)
            cases[name] = measure(write, words)
        now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        RESULT.write_text(json.dumps({"cases": cases, "machine": describe("numpy"), "measured": now}, indent=1) + "\n")
    report(json.loads(RESULT.read_text()))


if __name__ == "__main__":
    main()
