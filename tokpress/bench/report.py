"""Report a run as a table, as JSON, and as a plot of rate against speed."""

import time
from typing import TYPE_CHECKING, Any, BinaryIO

from ..exact.threads import processors
from ..training.machine import describe
from .measure import Row, Run

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = 1
PACKAGES = ("numpy", "torch", "zstandard", "brotli", "bzip3", "pyppmd")


def as_json(run: Run, command: list[str]) -> dict[str, Any]:
    """The JSON of `tokpress bench --json`, described in docs/bench.md."""
    return {
        "format": FORMAT,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command,
        "machine": describe(*PACKAGES),
        "repeat": run.repeat,
        "threads": processors(),
        "codecs": {codec.name: codec.describe() for codec in run.codecs},
        "skipped": run.skipped,
        "rows": [row.to_json() for row in run.rows],
        "totals": [row.to_json() for row in run.totals],
    }


HEAD = ("codec", "bytes", "bits per byte", "compress MB/s", "decompress MB/s", "peak MB", "model bytes")


def cells(row: Row) -> list[str]:
    """The cells of a row, in the order of HEAD. A dash: unknown. Speeds and memory in powers of 1000."""
    if row.error:
        return [row.codec, f"failed: {row.error}", *[""] * (len(HEAD) - 2)]
    speeds = (row.speed("compress"), row.speed("decompress"))
    return [
        row.codec,
        "–" if row.compressed_bytes is None else f"{row.compressed_bytes:,}",
        "–" if row.bits_per_byte is None else f"{row.bits_per_byte:.3f}",
        *("–" if speed is None else f"{speed / 1e6:.3g}" for speed in speeds),
        "–" if row.peak_bytes is None else f"{row.peak_bytes / 1e6:,.0f}",
        f"{row.model_bytes:,}" if row.model_bytes else "",
    ]


def table(run: Run) -> "Table":
    """A table of rich: a section for each file, and one for totals."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    shown.add_column("file", overflow="fold", no_wrap=False)
    for column in HEAD:
        shown.add_column(column, justify="left" if column == "codec" else "right")
    before = None
    for row in [*run.rows, *run.totals]:
        first = row.file != before
        if first and before is not None:
            shown.add_section()
        before = row.file
        name = f"{row.file} ({row.source_bytes:,} bytes)" if row.files == 1 else _sum_of(row)
        shown.add_row(Text(name if first else ""), *map(Text, cells(row)))
    return shown


def _sum_of(row: Row) -> str:
    return f"{row.files} files ({row.source_bytes:,} bytes)"


def plot(run: Run, out: BinaryIO, format: str) -> None:
    """Bits per byte (lower is better) against decompression speed, over all files; one point per codec."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    rows = run.totals or run.rows
    points = [(s / 1e6, b, r) for r in rows if (s := r.speed("decompress")) and (b := r.bits_per_byte) is not None]
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for speed, rate, row in points:
        ours = row.codec.startswith("tokpress")
        axes.plot(speed, rate, "D" if ours else "o", color="tab:red" if ours else "tab:blue")
        label = row.codec + (f" (+ {row.model_bytes:,} model bytes)" if row.model_bytes else "")
        axes.annotate(label, (speed, rate), textcoords="offset points", xytext=(6, 4))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.margins(0.15)
    axes.set_xlabel("decompression, MB/s (whole process)")
    axes.set_ylabel("bits per byte")
    if rows:
        axes.set_title(rows[0].file if not run.totals else _sum_of(rows[0]))
    axes.grid(alpha=0.3)
    figure.savefig(out, format=format, dpi=150)
