"""The files to measure: those of the test folder, with every .xz, .gz and .zip expanded, and generated ones.

The data is not part of the repository. README.md in this folder says where it comes from.
Absent files are left out, with a line on stderr.
"""

import gzip
import hashlib
import lzma
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: the folder with bench/ and train/ where neither --data nor the environment names one
FOLDER = ROOT / "data"

#: English prose: books, articles, papers (some with troff marks), a bible, a fact book
ENGLISH = (
    *(f"text/calgary/{name}" for name in ("book1", "book2", "news", *(f"paper{i}" for i in range(1, 7)))),
    *(f"text/canterbury/{name}" for name in ("alice29.txt", "asyoulik.txt", "lcet10.txt", "plrabn12.txt")),
    "text/large/bible.txt",
    "text/large/world192.txt",
    "silesia/dickens",
)
#: everything else that people compress: logs, tables, mark-up, source, programs, databases
MIXED = (
    *(f"logs/{name}_2k.log" for name in ("Apache", "HDFS", "OpenStack", "Zookeeper")),
    *(f"json/{name}.json" for name in ("twitter", "citm_catalog", "canada", "gsoc-2018")),
    *(f"text/calgary/{name}" for name in ("bib", "geo", "obj2", "pic", "progc", "progl", "progp", "trans")),
    *(f"text/canterbury/{name}" for name in ("cp.html", "fields.c", "kennedy.xls", "sum")),
    *(f"text/{name}" for name in ("html", "urls.10K", "geo.protodata", "kppkn.gtb", "paper-100k.pdf")),
    "text/enwik8_first_4000000.xml",
    "records/packages.txt",
    *(f"silesia/{name}" for name in ("xml", "reymont", "osdb", "ooffice", "mr")),
)
#: of MIXED, what is no text
BINARY = (
    *(f"text/calgary/{name}" for name in ("geo", "obj2", "pic")),
    *(f"text/canterbury/{name}" for name in ("kennedy.xls", "sum")),
    *(f"text/{name}" for name in ("geo.protodata", "kppkn.gtb", "paper-100k.pdf")),
    *(f"silesia/{name}" for name in ("osdb", "ooffice", "mr")),
)


def expanded(folder: Path, scratch: Path) -> dict[str, Path]:
    """Every file of the data folder by its name, archives expanded into a folder in `scratch`, once."""
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; name the folder that holds bench/ by --data or TOKPRESS_DATA")
    scratch = scratch / f"data-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder)
        if path.suffix == ".zip":
            for inside in _unzipped(path, scratch / name.with_suffix("")):
                found[str(inside.relative_to(scratch))] = inside
        elif path.suffix in (".xz", ".gz"):
            plain = scratch / name.with_suffix("")
            if not plain.exists():
                opener = lzma.open if path.suffix == ".xz" else gzip.open
                with opener(path, "rb") as source:
                    _write(plain, source)
            found[str(name.with_suffix(""))] = plain
        else:
            found[str(name)] = path
    return found


def _unzipped(archive: Path, target: Path) -> list[Path]:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent))
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(part)
        part.rename(target)
    return sorted(p for p in target.rglob("*") if p.is_file())


def _write(path: Path, source) -> None:
    """Whole or not at all: an interrupted run must not leave half a file to be measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
        shutil.copyfileobj(source, out)
    os.replace(out.name, path)


def chosen(files: dict[str, Path], names: tuple[str, ...]) -> dict[str, Path]:
    """Those of `names` that are there; the others are told."""
    if absent := [name for name in names if name not in files]:
        print(f"not in the data folder, left out: {', '.join(absent)}", file=sys.stderr)
    return {name: files[name] for name in names if name in files}


# --- files made here: the same bytes for the same seed, or taken from this Python --------------------------


def part(source: Path, count: int, target: Path) -> Path:
    """The first `count` bytes."""
    with source.open("rb") as file:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read(count))
    return target


def repeated(block: bytes, times: int, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for _ in range(times):
            out.write(block)
    return target


def noise(count: int, target: Path, seed: int = 20261123) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    with target.open("wb") as out:
        for at in range(0, count, 1 << 20):
            out.write(draw.randbytes(min(1 << 20, count - at)))
    return target


def database(target: Path, words: list[str], seed: int = 20261123) -> Path:
    """An SQLite database of a shop: customers, orders with dates and prices, notes of real words, two indices."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    draw = random.Random(seed)
    with sqlite3.connect(target) as db:
        db.executescript(
            "create table customer (id integer primary key, name text, mail text, since text);"
            "create table sale (id integer primary key, customer integer references customer, day text,"
            " item text, count integer, price real, note text);"
            "create index by_customer on sale (customer); create index by_day on sale (day);"
        )
        for i in range(2000):
            name = f"{draw.choice(words).capitalize()} {draw.choice(words).capitalize()}"
            day = f"{draw.randint(2005, 2025)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
            mail = name.lower().replace(" ", ".") + "@example.org"
            db.execute("insert into customer values (?, ?, ?, ?)", (i, name, mail, day))
        for i in range(12_000):
            day = f"2025-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {draw.randint(8, 19):02}:{draw.randint(0, 59):02}"
            note = " ".join(draw.choice(words) for _ in range(draw.randint(0, 9)))
            price = round(draw.lognormvariate(3, 1), 2)
            row = (i, draw.randrange(2000), day, draw.choice(words), draw.randint(1, 9), price, note)
            db.execute("insert into sale values (?, ?, ?, ?, ?, ?, ?)", row)
    db.close()
    return target


def programs() -> dict[str, Path]:
    """Machine code that is here anyway: two of numpy's compiled extensions."""
    import numpy as np

    folder = Path(np.__file__).parent
    found = [path for name in ("mtrand", "_umath_linalg") for path in sorted(folder.rglob(f"{name}.*"))]
    return {f"generated/{path.name}": path for path in found if path.suffix in (".so", ".pyd")}
