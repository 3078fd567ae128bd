"""Many small files: one archive of `tokpress pack` beside a file each, and beside tar and xz. Writes docs/archives.md.

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

from tokpress.archive import GROUP_SIZE, Archive
from tokpress.machine import describe

RESULT = Path(__file__).with_name("results") / "archives.json"
SHARED = ROOT.parent / "shared" / "data" / "bench"
DIGITS = 1000
#: docs/archives.md, before the table
TEXT = """\
# Archives of many small files

`tokpress pack` puts files and folders into one archive, `tokpress unpack` takes out all of them, or some.

## What is kept

| | in the archive | after `unpack` |
|---|---|---|
| regular files | bytes, permission bits, time of the last change in whole seconds | the same; permission bits less what the umask forbids |
| folders, empty ones too | permission bits, time | the same; a folder that is there already stays as it is |
| symbolic links | as links, whatever they lead to; also those given on the command line (`link/` with a slash is the folder) | the link; its own time is not kept |
| hard links | one copy of the bytes | hard links again; unpacked by its name alone, such a file is a file of its own |
| owner, group, extended attributes, holes in sparse files | not kept | files belong to whoever unpacks them |
| setuid, setgid and sticky bits | kept | dropped, as tar does without `-p` |

Sockets, named pipes, devices, and files or folders that cannot be read are left out. Each is told by name, the rest is packed, and the
exit code is 1. The same holds for a file that changes while it is read, of which the archive has what was read. An archive that lies in
a folder that is packed is left out of itself, and that is told too. Names may be of any bytes; those of folders end at 4,096 bytes.

With `--content`, hard links are packed as files, and files over 64 MiB as they are.

**Who may read an archive.** The umask decides, as for any file. But the group and others may read it only if they may read every file in
it, and enter every folder: an archive of a file of mode 600 has mode 600. Until it is complete, only its owner can read it.

## What unpack writes

* Nothing outside the folder named with `-o`, and nothing through a link: folders are opened one below the other without following links,
  and modes and times are set on open files, so that a link which somebody plants meanwhile gains nothing. Symbolic links are made last.
* Whole files only. A file that exists is kept, and told; with `-f` it is replaced.
* Everything that can be written. What cannot (a name in the way, or too long; damage) is told one by one, and the exit code is 1.
* Of archives that were joined (`cat a.tokp b.tokp`), everything. If they have a name in common that is not a folder's, they are refused.
* Of an archive that is cut off, the files before the end.

Memory: both commands hold up to 32 MiB of files, and a few frames of at most 64 MiB. A larger file is cut into frames of 16 MiB, and
copied to a temporary file ($TMPDIR) first, so that it cannot change while it is packed. What an index takes follows the size of the archive.

## How small

Files of one kind are laid together, so that what was learned from one helps the next, and the headers of frames are paid once. *One
file* is the time that it takes to read a file from the middle of the archive, the index and its group decoded, once the program runs.
*tar, xz* is of the same contents: with `--content`, of the pixels.

A group holds at most {size} KB of files of one kind (`--group-size`), or one larger file. To read one file, its group is decoded and no
other; where the data of a group are damaged, its files are lost and no others (the index, at the front, is needed for all). Smaller
groups cost bytes, since each learns anew: in one group the digits take 110,000.
"""


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
    lines = [
        *TEXT.format(size=GROUP_SIZE >> 10).splitlines(),
        "",
        *markdown(head, rows),
        "",
        f"`python benchmarks/archives.py`, {kept['measured']}, {machine_line(kept['machine'])}.",
        "",
    ]
    (ROOT / "docs" / "archives.md").write_text("\n".join(lines), "utf-8")


@click.command()
@click.option("--report", "only_report", is_flag=True, help="Only write docs/archives.md.")
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
