"""Markdown: tables, asked and measured figures, and the part of a page that a benchmark writes."""

from dataclasses import dataclass
from pathlib import Path

#: whether a figure reached its target; None: nothing was asked
SIGN = {True: "yes", False: "**no**", None: ""}


class PageError(Exception):
    """A page without the marks between which a benchmark writes."""


@dataclass
class Figure:
    """A measured figure beside its target. `ok` None: no target, shown for comparison."""

    name: str
    asked: str
    measured: str
    ok: bool | None


def figures_table(figures: list[Figure]) -> list[str]:
    rows = [[figure.name, figure.asked, figure.measured, SIGN[figure.ok]] for figure in figures]
    return markdown(["figure", "asked", "measured", "reached"], rows)


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table: the first column left-aligned, the others right-aligned; columns of dashes only are left out."""
    shown = [i for i in range(len(head)) if not i or not rows or any(row[i] not in ("", "–") for row in rows)]
    head, rows = [head[i] for i in shown], [[row[i] for i in shown] for row in rows]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return lines + [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def marks(name: str, what: str = "measured") -> tuple[str, str]:
    """The two lines around the part of a page that benchmark `name` writes."""
    return f"<!-- {what}: python -m benchmarks {name} writes this part -->", f"<!-- end of {what} -->"


def check_marks(path: Path, name: str, what: str = "measured") -> None:
    """Raises PageError where `path` does not hold the marks, once each and in order."""
    begin, end = marks(name, what)
    text = path.read_text("utf-8") if path.is_file() else ""
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise PageError(f"{path}: must hold these two lines, once each, in this order:\n{begin}\n{end}")


def write_part(path: Path, name: str, lines: list[str], what: str = "measured") -> None:
    """Replace the text between the marks. Raises PageError where they are missing."""
    check_marks(path, name, what)
    begin, end = marks(name, what)
    text = path.read_text("utf-8")
    block = "\n".join([begin, "", *lines, "", end])
    path.write_text(text.split(begin)[0] + block + text.split(end)[1], "utf-8")


def write_page(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
