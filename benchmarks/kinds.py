"""Text of today by kind, from encyclopedias and code to logs and other languages: bytes of tokpress beside other compressors.

The files are those of bench/modern, in a folder for each kind; training texts of the same kinds come from other sources. Each file is
compressed alone, decoded again and compared. Model bytes are not counted: models are installed once, not sent with each file.
"""

import math
import sys
from pathlib import Path
from typing import Any

from tokpress.bench.measure import measure, prepare
from tokpress.bench.report import PACKAGES

from .pages import Figure, figures_table, markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results

FOLDER = "modern/"
#: share of the smallest peer's bytes that each kind should save
ASKED = 0.25


@benchmark(
    "kinds",
    page="docs/kinds.md",
    takes="5 minutes (with --set models=best half an hour more)",
    settings={"against": ("xz", "brotli", "ppmd", "zpaq"), "models": ()},
)
class Kinds(Benchmark):
    """Bytes of each kind of bench/modern under tokpress and other compressors, file by file."""

    packages = PACKAGES

    def cases(self, setup: Setup) -> Cases:
        kinds: dict[str, dict[str, Path]] = {}
        for name, path in setup.bench.items():
            if name.startswith(FOLDER):
                kinds.setdefault(name.split("/")[1], {})[name] = path
        ours = ["tokpress", *(f"tokpress:{model}" for model in setup.settings["models"])]
        run = prepare([*ours, *setup.settings["against"]], 1)
        for name, reason in run.skipped.items():
            print(f"{name} is left out: {reason}", file=sys.stderr)

        def one(kind: str) -> dict[str, Any]:
            files: dict[str, dict[str, int]] = {}
            for name, path in kinds[kind].items():
                files[name] = {}
                for codec in run.codecs:
                    row = measure(codec, path, name, 1)
                    if row.error and codec.kind == "tokpress":
                        raise MeasurementError(f"{codec.name} on {name}: {row.error}")
                    if not row.error and row.compressed_bytes:  # ppmd cannot decode all its own streams
                        files[name][codec.name] = row.compressed_bytes
            return {"bytes": sum(path.stat().st_size for path in kinds[kind].values()), "files": files}

        return {kind: lambda kind=kind: one(kind) for kind in kinds}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if not (found := results.values()):
            return []
        codecs = list(
            dict.fromkeys(codec for kind in found.values() for sizes in kind["files"].values() for codec in sizes)
        )
        peers = [codec for codec in codecs if not codec.startswith("tokpress")]
        totals = {kind: {codec: _sum(value, codec) for codec in codecs} for kind, value in found.items()}

        def line(name: str, files: int, size: int, total: dict[str, float]) -> list[str]:
            rates = [_rate(total[codec], size) for codec in codecs]
            return [name, str(files), f"{size:,}", *rates, f"{saved(total, peers):.1%}"]

        rows = [line(kind, len(value["files"]), value["bytes"], totals[kind]) for kind, value in found.items()]
        every = {codec: sum(total[codec] for total in totals.values()) for codec in codecs}
        files, size = sum(len(value["files"]) for value in found.values()), sum(v["bytes"] for v in found.values())
        rows.append(line("all", files, size, every))
        shares = {kind: saved(total, peers) for kind, total in totals.items()}
        reached = sum(share >= ASKED for share in shares.values())
        least = min(shares, key=shares.__getitem__)
        figure = Figure("kinds: fewer bytes by tokpress than by the smallest of the others", f"≥ {ASKED:.0%}, each",
                        f"{reached} of {len(shares)} kinds; least {shares[least]:.1%} ({least})", reached == len(shares))  # fmt: skip
        lines = [
            "# Kinds of text", "", __doc__.strip().replace("\n", " ") if __doc__ else "", "", *figures_table([figure]), "",
            "Bits per byte, and the share of the smallest other one's bytes that tokpress saves:", "",
            *markdown(["kind", "files", "bytes", *codecs, "saved"], rows), "", results.made_by(),
        ]  # fmt: skip
        write_page(setup.docs / "kinds.md", lines)
        return []


def _sum(kind: dict[str, Any], codec: str) -> float:
    """Bytes of all files; NaN where one was not measured."""
    return sum((sizes.get(codec, math.nan) for sizes in kind["files"].values()), 0.0)


def _rate(count: float, size: int) -> str:
    return "–" if math.isnan(count) else f"{8 * count / size:.3f}"


def saved(total: dict[str, float], peers: list[str]) -> float:
    """Share of the bytes of the smallest peer that tokpress saves."""
    return 1 - total["tokpress"] / min(total[codec] for codec in peers if not math.isnan(total[codec]))
