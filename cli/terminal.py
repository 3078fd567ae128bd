"""Everything that tokpress prints goes through here.

File names, model names, contents and messages come from outside, and may hold what a terminal obeys: colours, a new title,
a cursor that moves. `say` and `note` print such characters as escapes (`\\x1b`); nothing else in this package may print.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar


def printable(text: str) -> str:
    """`text` on one line, with each character that a terminal would obey, or could not show, as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Desk:
    """What a job prints while others run beside it is kept here, and shown when its turn has come."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, bool]] = []  # texts, and whether they go to stderr
        self.due = False

    def take_turn(self) -> None:
        """From here on its moving line is drawn; its other lines wait for its end."""
        self.due = True

    def keep(self, text: str, err: bool) -> None:
        self._kept.append((text, err))

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """What is printed inside, by this thread and by those that it starts, is kept."""
        before = _desk.set(self)
        try:
            yield
        finally:
            _desk.reset(before)

    def show(self) -> None:
        """Print all that was kept."""
        for text, err in self._kept:
            _print(text, err)
        self._kept = []


_desk: ContextVar[Desk | None] = ContextVar("desk", default=None)


def _print(text: str, err: bool) -> None:
    if desk := _desk.get():
        desk.keep(text, err)
        return
    stream = sys.stderr if err else sys.stdout
    if stream is None:  # closed
        return
    with contextlib.suppress(OSError) if err else contextlib.nullcontext():
        stream.write(text)
        stream.flush()


def note(message: str, quiet: bool = False) -> None:
    """Print one line on stderr; nothing where stderr is closed or full."""
    if not quiet:
        _print(printable(message) + "\n", err=True)


def say(*cells: str, separator: str = "") -> None:
    """Print one line on stdout."""
    _print(separator.join(map(printable, cells)) + "\n", err=False)


def show(text: str, err: bool = False) -> None:
    """Print text of several lines: newlines and tabs stay."""
    _print("".join(c if c in "\n\t" else printable(c) for c in text), err)


def show_json(value: object) -> None:
    """Print JSON on stdout. It escapes all but printable ASCII by its own rules, so that it can be read back."""
    import json

    show(json.dumps(value, indent=2) + "\n")


def show_table(table: object) -> None:
    """Print a table of rich's on stdout, as plain text."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200  # a pipe has no width to keep to
    Console(file=(text := io.StringIO()), width=width, force_terminal=False, highlight=False).print(table)
    show(text.getvalue())


def note_above(bar, message: str) -> None:
    """Print one line above a progress bar of rich's."""
    bar.console.print(printable(message), highlight=False, markup=False)


def traceback() -> None:
    """Print where the exception that is being handled was raised, on stderr."""
    from traceback import format_exc

    for line in format_exc().splitlines():
        note(line.replace("\t", "    "))


def is_live() -> bool:
    """Whether stderr is a terminal that obeys control sequences, and the user wants them."""
    plain = os.environ.get("TERM") in ("dumb", "") or os.environ.get("NO_COLOR")
    return sys.stderr is not None and sys.stderr.isatty() and not plain


class MovingLine:
    """The last line of the terminal, drawn again and again; nothing where `live` is false, or another job's turn is now."""

    def __init__(self, live: bool) -> None:
        self.live = live and is_live()
        self._drawn = False

    def draw(self, text: str) -> None:
        desk = _desk.get()
        if self.live and (desk is None or desk.due):
            self._drawn = True
            self._write(f"\r\033[K{printable(text)}")

    def clear(self) -> None:
        if self._drawn:
            self._drawn = False
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
