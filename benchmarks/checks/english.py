"""English text: the default choice against xz -9e and ppmd."""

from data import ENGLISH, chosen
from results import Figure, markdown

from . import Bench, Outcome, fewer

XZ, PPMD = 30.0, 15.0
#: the sizes of file for which PPMD is asked
SMALLEST, LARGEST = 10_000, 1_000_000


def run(bench: Bench) -> Outcome:
    sizes = {}
    for name, path in chosen(bench.files, ENGLISH).items():
        rows = [bench.row(codec, name, path) for codec in ("tokpress", "xz", "ppmd")]
        sizes[name] = (rows[0]["source_bytes"], *(row["compressed_bytes"] for row in rows))
    middle = {name: four for name, four in sizes.items() if SMALLEST <= four[0] <= LARGEST}
    figures = _figures("xz -9e", 2, XZ, sizes) + _figures("ppmd, files of 10 KB – 1 MB", 3, PPMD, middle)
    lines = [
        [name, *(f"{count:,}" for count in four), f"{fewer(four[1], four[2]):.1f}", f"{fewer(four[1], four[3]):.1f}"]
        for name, four in sizes.items()
    ]
    head = ["file", "bytes", "tokpress", "xz -9e", "ppmd", "% under xz", "% under ppmd"]
    return figures, markdown(head, lines)


def _figures(peer: str, column: int, asked: float, sizes: dict[str, tuple[int, ...]]) -> list[Figure]:
    if not sizes:
        return []
    whole = fewer(sum(s[1] for s in sizes.values()), sum(s[column] for s in sizes.values()))
    share = {name: fewer(s[1], s[column]) for name, s in sizes.items()}
    worst = min(share, key=lambda name: share[name])
    reached = sum(value >= asked for value in share.values())
    title = f"English text: fewer bytes than {peer}"
    return [
        Figure(f"{title}, {len(sizes)} files in total", f"≥ {asked:g} %", f"{whole:.1f} %", whole >= asked),
        Figure(
            f"{title}, each file", f"≥ {asked:g} %",
            f"{reached} of {len(sizes)} files; least {share[worst]:.1f} % ({worst})", reached == len(sizes),
        ),
    ]  # fmt: skip
