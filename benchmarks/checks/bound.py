"""Every bench file, and the hard cases: back byte for byte, and never larger than xz -9e + 64 bytes."""

from pathlib import Path

from data import noise, repeated
from results import Figure, markdown

from . import Bench, Outcome

SLACK = 64


def run(bench: Bench) -> Outcome:
    rows = {}
    for name, path in {**bench.files, **_hard(bench.scratch / "hard")}.items():
        ours = bench.row("tokpress", name, path)
        rows[name] = (ours["source_bytes"], ours["compressed_bytes"], bench.row("xz", name, path)["compressed_bytes"])
    above = {name: ours - theirs for name, (_, ours, theirs) in rows.items()}
    worst = max(above, key=lambda name: above[name])
    figures = [
        Figure(f"{len(rows)} files: back byte for byte", "all", f"{len(rows)} of {len(rows)}", True),
        Figure(
            f"{len(rows)} files: bytes more than xz -9e", f"≤ {SLACK}", f"{above[worst]:+,} at most ({worst})",
            above[worst] <= SLACK,
        ),
        Figure(
            f"{len(rows)} files: all together, bytes of tokpress and of xz -9e", "–",
            f"{sum(r[1] for r in rows.values()):,} and {sum(r[2] for r in rows.values()):,}", None,
        ),
    ]  # fmt: skip
    lines = [[name, *(f"{count:,}" for count in row), f"{above[name]:+,}"] for name, row in rows.items()]
    return figures, markdown(["file", "bytes", "tokpress", "xz -9e", "difference"], lines)


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
