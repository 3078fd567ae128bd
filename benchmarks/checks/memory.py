"""Peak memory of the command on large files: nothing to say, nothing to find, and text."""

from pathlib import Path
from typing import Any

from data import chosen, noise, repeated
from results import Figure, markdown

from tokpress.bench.measure import measure
from tokpress.bench.peers import find

from . import Bench, Outcome

ASKED = 10**9
LARGE = 100_000_000
#: together more than a frame of 16 MiB: the text model at work, and lzma over the whole file beside it
TEXTS = ("silesia/dickens", "text/large/bible.txt", "text/large/world192.txt", "text/enwik8_first_4000000.xml")


def run(bench: Bench) -> Outcome:
    makers = {"zeros, 100 MB": _zeros, "random bytes, 100 MB": _random, "text, some 20 MB": _text}
    figures, lines = [], []
    for name, make in makers.items():
        path = bench.scratch / "large"
        row = bench.once(name, lambda name=name, make=make, path=path: _measured(name, make(bench, path)))
        peak = max(row["compress_peak_bytes"], row["decompress_peak_bytes"])
        figures.append(Figure(f"peak memory, {name}", "≤ 1 GB", f"{peak / 1e6:,.0f} MB", peak <= ASKED))
        lines.append([
            name, *(f"{row[key]:,}" for key in ("source_bytes", "compressed_bytes")),
            *(f"{row[f'{action}_peak_bytes'] / 1e6:,.0f}" for action in ("compress", "decompress")), str(row["stored"]),
        ])  # fmt: skip
    return figures, markdown(["file", "bytes", "compressed", "compress MB", "decompress MB", "stored as"], lines)


def _measured(name: str, path: Path) -> dict[str, Any]:
    row = measure(find("tokpress"), path, name)
    path.unlink()
    if row.error:
        raise RuntimeError(f"{name}: {row.error}")
    return row.to_json()


def _zeros(bench: Bench, path: Path) -> Path:
    return repeated(bytes(1_000_000), LARGE // 1_000_000, path)


def _random(bench: Bench, path: Path) -> Path:
    return noise(LARGE, path)


def _text(bench: Bench, path: Path) -> Path:
    path.write_bytes(b"".join(source.read_bytes() for source in chosen(bench.files, TEXTS).values()))
    return path
