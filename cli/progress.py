"""Progress on stderr: a line that is redrawn while a file is coded. The figures that messages share."""

import os
import time

from . import signals
from .terminal import MovingLine, note


def size(count: int) -> str:
    power = 0 if count < 10_000 else 1 if count < 10**6 else 2 if count < 10**9 else 3
    return f"{count / 1000**power:,.{min(power, 1)}f} {' kMG'[power].strip()}B"


def counted(count: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def rates(source_bytes: int, file_bytes: int) -> str:
    if not source_bytes:
        return "ratio –"
    return f"ratio {source_bytes / max(file_bytes, 1):.2f}, {8 * file_bytes / source_bytes:.3f} bits per byte"


def speed(source_bytes: int, seconds: float) -> str:
    return f"{source_bytes / 1e6 / max(seconds, 1e-9):.2f} MB/s"


def warn_without_core() -> None:
    """Print a warning where the native core is missing and TOKPRESS_CORE does not ask for its twins.

    Raises CoreError where the library is of another version."""
    from tokpress.native import library  # not for --help

    if not library.is_here() and not os.environ.get("TOKPRESS_CORE"):
        note(
            "tokpress: the native core is not installed, so coding takes hundreds of times longer: unset TOKPRESS_NO_CORE and "
            "install tokpress again (pip install --force-reinstall --no-deps FOLDER); pip fetches a C compiler where there is none"
        )


class Progress:
    """Draws the progress line. The coder calls `report(done)` with bytes of the source; `total` is None where it is unknown."""

    def __init__(self, name: str, total: int | None, quiet: bool) -> None:
        self._name, self._total = name, total
        self._start = self._shown = time.monotonic()
        self._line = MovingLine(not quiet)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def report(self, done: int) -> None:
        signals.check()
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        part = min(done / self._total, 1.0) if self._total else 0.0
        percent = f"{part:4.0%}  " if self._total else ""
        line = f"{self._name}: {percent}{size(done)}, {speed(done, self.seconds)}"
        if part > 0.01:
            minutes, seconds = divmod(round(self.seconds * (1 - part) / part), 60)
            line += f", {minutes}:{seconds:02} left"
        self._line.draw(line)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._line.clear()
