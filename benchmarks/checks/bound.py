"""Every bench file, and the hard cases: back byte for byte, and never larger than xz -9e + 64 bytes."""

from pathlib import Path

from data import noise, repeated
from results import Figure, markdown

from . import Bench, Outcome

SLACK = 64


def run(bench: Bench) -> Outcome:
    rows, failed = {}, {}
    for name, path in {**bench.files, **_hard(bench.scratch / "hard")}.items():
        ours = bench.row("tokpress", name, path, strict=False)
        theirs = bench.row("xz", name, path)["compressed_bytes"]
        if ours["verified"]:
            rows[name] = (ours["source_bytes"], ours["compressed_bytes"], theirs)
        else:
            failed[name] = ours["error"]
    count = len(rows) + len(failed)
    figures = [Figure(f"{count} files: back byte for byte", "all", f"{len(rows)} of {count}", not failed)]
    above = {name: ours - theirs for name, (_, ours, theirs) in rows.items()}
    if above:
        worst = max(above, key=lambda name: above[name])
        most = f"{above[worst]:+,} at most ({worst})"
        figures.append(Figure(f"{count} files: bytes more than xz -9e", f"≤ {SLACK}", most, above[worst] <= SLACK))
        sums = " and ".join(f"{sum(row[column] for row in rows.values()):,}" for column in (1, 2))
        figures.append(Figure(f"{count} files: bytes of tokpress and of xz -9e, all together", "–", sums, None))
    lines = [f"* {name} failed: {error}" for name, error in failed.items()]
    table = [[name, *(f"{size:,}" for size in row), f"{above[name]:+,}"] for name, row in rows.items()]
    return figures, [*lines, "", *markdown(["file", "bytes", "tokpress", "xz -9e", "difference"], table)]


def _hard(folder: Path) -> dict[str, Path]:
    makers = {
        "empty": lambda path: repeated(b"", 1, path),
        "one byte": lambda path: repeated(b"x", 1, path),
        "two bytes": lambda path: repeated(b"\xff\xfe", 1, path),
        "invalid UTF-8": lambda path: repeated(b"caf\xe9 \xc3\x28 \xf0\x9f \x80", 1000, path),
        "zeros, 10 MB": lambda path: repeated(bytes(1000), 10_000, path),
        "random, 100 bytes": lambda path: noise(100, path),
        "random, 1 MB": lambda path: noise(10**6, path),
        "random, 20 MB": lambda path: noise(2 * 10**7, path),
        # a repetition farther apart than a frame is long: only lzma over the whole file sees it
        "random 17 MB twice": lambda path: _twice(path),
    }
    return {f"made here: {name}": make(folder / name) for name, make in makers.items()}


def _twice(path: Path) -> Path:
    path.write_bytes(2 * noise(17_000_000, path).read_bytes())
    return path
