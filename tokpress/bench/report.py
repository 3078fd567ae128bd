"""Report a run as a table, as JSON, and as a plot of rate against speed."""

import time
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..exact.threads import processors
from ..training.machine import describe
from . import labels
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


class Point(NamedTuple):
    """A codec in the plot of rate against speed: decompressed MB/s of the whole process, and bits per byte."""

    speed: float
    rate: float
    label: str
    ours: bool


AXES = ("decompression, MB/s (whole process)", "bits per byte")


def subject(run: Run) -> str:
    """The files of the plot."""
    return _sum_of(run.totals[0]) if run.totals else run.rows[0].file if run.rows else ""


def points(run: Run) -> list[Point]:
    """A point for each codec, over all files."""
    found = []
    for row in run.totals or run.rows:
        if (speed := row.speed("decompress")) and row.bits_per_byte is not None:
            label = row.codec + (f" (+ {row.model_bytes:,} model bytes)" if row.model_bytes else "")
            found.append(Point(speed / 1e6, row.bits_per_byte, label, row.codec.startswith("tokpress")))
    return found


def plot(run: Run, out: BinaryIO, format: str) -> None:
    """Bits per byte (lower is better) against decompression speed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(8, 5), layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shown = points(run)
    for point in shown:
        axes.plot(
            point.speed, point.rate, "D" if point.ours else "o", color="tab:red" if point.ours else "tab:blue", ms=6
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.margins(0.15)
    axes.set_xlabel(AXES[0])
    axes.set_ylabel(AXES[1])
    axes.set_title(subject(run))
    axes.grid(alpha=0.3)
    canvas.draw()  # so that the places of points and the sizes of labels are known
    figure.set_layout_engine("none")
    _draw_labels(canvas, axes, shown)
    figure.savefig(out, format=format, dpi=150)


def _draw_labels(canvas: Any, axes: Any, shown: list[Point]) -> None:
    places = [tuple(axes.transData.transform((point.speed, point.rate)).tolist()) for point in shown]
    texts = [axes.annotate(point.label, point[:2], parse_math=False) for point in shown]
    sizes = [(box.width, box.height) for box in (text.get_window_extent(canvas.get_renderer()) for text in texts)]
    boxes = labels.placed(places, sizes, tuple(axes.bbox.extents.tolist()))
    scale = 72 / axes.figure.dpi  # pixels to points, which are the same in the file
    for (x, y), box, text, point in zip(places, boxes, texts, shown):
        text.remove()
        offset = (box[0] - x) * scale, (box[1] - y) * scale
        axes.annotate(point.label, point[:2], textcoords="offset points", xytext=offset, parse_math=False)
        if end := labels.leader((x, y), box):
            offset = (end[0] - x) * scale, (end[1] - y) * scale
            line = {"arrowstyle": "-", "color": "grey", "linewidth": 0.8}
            axes.annotate("", point[:2], textcoords="offset points", xytext=offset, arrowprops=line)
