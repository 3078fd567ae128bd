"""All output to stdout and stderr.

File names, model names, contents and messages may hold control sequences of a terminal: colours, titles, cursor movements. `say`
and `note` print control characters as escapes (`\\x1b`). No other module of this package prints.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar

TYPE_CHECKING = False  # true to type checkers; `--help` does not import typing
if TYPE_CHECKING:
    from typing import TextIO

    import rich.progress


def printable(text: str) -> str:
    """`text` on one line, with control characters and unprintable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Desk:
    """Holds the output of a job that runs in parallel with others, until its turn comes."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, bool]] = []  # (text, to stderr)
        self.due = False

    def take_turn(self) -> None:
        """From here on the progress line of the job is drawn; its other lines are shown at its end."""
        self.due = True

    def keep(self, text: str, err: bool) -> None:
        self._kept.append((text, err))

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Hold the output of this thread, and of threads that it starts."""
        before = _desk.set(self)
        try:
            yield
        finally:
            _desk.reset(before)

    def show(self) -> None:
        """Print the held output."""
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
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            _drop_buffer(stream)
            raise


def _drop_buffer(stream: "TextIO") -> None:
    """Drop what a stream could not take, which its next flush would write again: at the end of the process, too late for an error."""
    with contextlib.suppress(OSError, ValueError):  # not a file
        there, null = os.dup(stream.fileno()), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
            stream.flush()
        finally:
            os.dup2(there, stream.fileno())
            os.close(there)
            os.close(null)


def note(message: str, quiet: bool = False) -> None:
    """Print one line on stderr. Errors of stderr are ignored."""
    if not quiet:
        _print(printable(message) + "\n", err=True)


def say(*cells: str, separator: str = "") -> None:
    """Print one line on stdout."""
    _print(separator.join(map(printable, cells)) + "\n", err=False)


def show(text: str, err: bool = False) -> None:
    """Print text with newlines and tabs."""
    _print("".join(c if c in "\n\t" else printable(c) for c in text), err)


def show_json(value: object) -> None:
    """Print JSON on stdout, in ASCII."""
    import json

    show(json.dumps(value, indent=2) + "\n")


def show_table(table: object) -> None:
    """Print a table of the package rich on stdout, as plain text."""
    from rich.console import Console

    width = None if sys.stdout and sys.stdout.isatty() else 200  # a pipe has no width
    Console(file=(text := io.StringIO()), width=width, force_terminal=False, highlight=False).print(table)
    show(text.getvalue())


def note_above(bar: "rich.progress.Progress", message: str) -> None:
    """Print one line above a progress bar of the package rich."""
    bar.console.print(printable(message), highlight=False, markup=False)


def traceback() -> None:
    """Print the traceback of the current exception on stderr."""
    from traceback import format_exc

    for line in format_exc().splitlines():
        note(line.replace("\t", "    "))


def is_live() -> bool:
    """Whether stderr is a terminal with control sequences, and NO_COLOR is not set."""
    plain = os.environ.get("TERM") in ("dumb", "") or os.environ.get("NO_COLOR")
    return sys.stderr is not None and sys.stderr.isatty() and not plain


class MovingLine:
    """The last line of the terminal, redrawn in place. Nothing is drawn where `live` is false, or it is another job's turn."""

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
