"""The page of `tokpress bench --html`: rate against speed as an SVG drawing, and all figures in a table. It needs no script."""

import math
from typing import TYPE_CHECKING

from tokpress.bench import labels, report
from tokpress.pages import document

from .terminal import printable

if TYPE_CHECKING:
    from tokpress.bench.measure import Row, Run

WIDTH, HEIGHT = 900, 460
#: the plot within the drawing: left, top, right, bottom
PLOT = (64.0, 16.0, 884.0, 410.0)
#: of a character of a label, 12 px monospace: an upper bound of its width, and its height
LETTER, LINE = 7.3, 15.0
#: empty share of an axis at both ends
MARGIN = 0.12


def page(run: "Run") -> bytes:
    title = f"Rate against speed: {printable(report.subject(run))}"
    body = (
        f"<h1>{document.escape(title)}</h1>\n"
        '<p class="note">Lower is better, and so is further right. Diamonds are tokpress, circles are other compressors. Speeds are those '
        f"of whole processes.</p>\n{_drawing(report.points(run))}\n{_table(run)}\n"
    )
    return document.page(title, body)


class Axis:
    """Values to positions on a line from `start` to `end`."""

    def __init__(self, values: list[float], start: float, end: float) -> None:
        low, high = min(values), max(values)
        room = MARGIN * (high - low) or 0.5 * max(abs(high), 1.0)
        self._low, self._high, self._start, self._end = low - room, high + room, start, end

    def at(self, value: float) -> float:
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Some five round numbers."""
        span = self._high - self._low
        unit = 10.0 ** math.floor(math.log10(span / 5))
        step = next(unit * n for n in (1, 2, 5, 10) if span / (unit * n) <= 6)
        return [n * step for n in range(math.ceil(self._low / step), math.floor(self._high / step) + 1)]

    def log_ticks(self) -> list[float]:
        """Speeds 1, 2 and 5 of each decade, of an axis of logarithms."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        return [n * 10.0**d for d in decades for n in (1, 2, 5) if self._low <= math.log10(n * 10.0**d) <= self._high]


def _drawing(points: list[report.Point]) -> str:
    if not points:
        return '<p class="note">No codec has a rate and a speed.</p>'
    left, top, right, bottom = PLOT
    x_axis = Axis([math.log10(point.speed) for point in points], left, right)
    y_axis = Axis([point.rate for point in points], bottom, top)
    lines = [
        *(_tick(x_axis.at(math.log10(s)), bottom, "middle", f"{s:g}", (0, top - bottom)) for s in x_axis.log_ticks()),
        *(_tick(left, y_axis.at(r), "end", f"{r:g}", (right - left, 0)) for r in y_axis.ticks()),
        f'<text class="tick" x="{(left + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{document.escape(report.AXES[0])}</text>',
        f'<text class="tick" transform="translate(16 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">{document.escape(report.AXES[1])}</text>',
    ]
    places = [(x_axis.at(math.log10(point.speed)), y_axis.at(point.rate)) for point in points]
    names = [printable(point.label) for point in points]
    boxes = labels.placed(places, [(LETTER * len(name), LINE) for name in names], PLOT)
    lines += [_point(*each) for each in zip(points, places, names, boxes)]
    label = "Bits per byte against decompression speed; the table below has the same figures"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">' + "\n".join(lines) + "</svg>"


def _tick(x: float, y: float, anchor: str, text: str, line: tuple[float, float]) -> str:
    """A line of the grid from x, y on, and its number."""
    dx, dy = (0, 18) if anchor == "middle" else (-8, 4)
    return (
        f'<path class="grid" d="M{x:.1f},{y:.1f}l{line[0]:.1f},{line[1]:.1f}"/>'
        f'<text class="tick" x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}">{text}</text>'
    )


def _point(point: report.Point, at: tuple[float, float], name: str, box: labels.Box) -> str:
    (x, y), name = at, document.escape(name)
    mark = (
        f'<path class="ours" d="M{x:.1f},{y - 7:.1f}l7,7l-7,7l-7,-7Z"/>'
        if point.ours
        else f'<circle class="peer" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
    )
    end = labels.leader(at, box)
    line = f'<path class="leader" d="M{x:.1f},{y:.1f}L{end[0]:.1f},{end[1]:.1f}"/>' if end else ""
    told = f"{name}: {point.rate:.3f} bits per byte, {point.speed:.3g} MB/s"
    text = f'<text class="label" x="{box[0]:.1f}" y="{box[3] - 4:.1f}">{name}</text>'
    return f"<g><title>{told}</title>{line}{mark}{text}</g>"


def _table(run: "Run") -> str:
    head = "".join(_cell("th", name, i, ' scope="col"') for i, name in enumerate(("file", *report.HEAD)))
    rows = "\n".join(_row(row) for row in [*run.rows, *run.totals])
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _row(row: "Row") -> str:
    name = row.file if row.files == 1 else f"{row.files} files"
    cells = (f"{name} ({row.source_bytes:,} bytes)", *report.cells(row))
    return "<tr>" + "".join(_cell("td", cell, i) for i, cell in enumerate(cells)) + "</tr>"


def _cell(element: str, text: str, column: int, more: str = "") -> str:
    """A cell; numbers stand from the third column on."""
    numeric = ' class="number"' if column > 1 else ""
    return f"<{element}{numeric}{more}>{document.escape(printable(text))}</{element}>"
