"""Progress on stderr: a line that is redrawn while a file is coded. The figures that messages share."""

import math
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
    return f"{significant(source_bytes / 1e6 / max(seconds, 1e-9))} MB/s"


def significant(value: float) -> str:
    """A number above 0 with three significant digits.

    >>> significant(0.012345), significant(1.5), significant(9.999), significant(1234.5)
    ('0.0123', '1.50', '10.0', '1234')
    """
    if value <= 0:
        return "0"
    rounded = float(f"{value:.2e}")
    return f"{value:.{max(0, 2 - math.floor(math.log10(rounded)))}f}"


def warn_without_core() -> None:
    """Print a warning where the native core is missing and TOKPRESS_CORE does not ask for its twins.

    Raises CoreError where the library is of another version."""
    from tokpress.native import library  # not for --help

    if not library.is_here() and not os.environ.get("TOKPRESS_CORE"):
        note(
            "tokpress: the native core is not installed, so coding takes hundreds of times longer: unset TOKPRESS_NO_CORE and "
            "install tokpress again (pip install --force-reinstall --no-deps FOLDER); pip fetches a C compiler where there is none"
        )


class Clock:
    """Speed and time left. The time before the first report is start-up: imports, and loading models."""

    def __init__(self, now: float) -> None:
        #: of the first report, or of the start until there is one
        self.began = now
        self._first: int | None = None
        self._done, self._now = 0, now

    def report(self, done: int, now: float) -> None:
        """done: bytes so far."""
        if self._first is None:
            self._first, self.began = done, now
        self._done, self._now = done, now

    @property
    def speed(self) -> str:
        return speed(self._done - (self._first or 0), self._now - self.began)

    def left(self, total: int) -> str:
        """Time left, from 1% on.

        >>> clock = Clock(0.0)
        >>> for done, now in ((0, 5.0), (250, 7.0)):
        ...     clock.report(done, now)
        >>> clock.left(1000)
        '0:06 left'
        """
        done = self._done - (self._first or 0)
        whole = total - (self._first or 0)
        if done <= whole / 100:
            return ""
        minutes, seconds = divmod(round((self._now - self.began) * max(whole - done, 0) / done), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"


class Overall:
    """All files of a call, which have `total` bytes together; None where that is unknown. They may be coded in parallel."""

    def __init__(self, count: int, total: int | None) -> None:
        self.count, self.total = count, total
        self.clock: Clock | None = None
        self._done: dict[Progress, int] = {}

    def report(self, file: "Progress", done: int, now: float) -> int:
        """Returns the bytes of all files that are done."""
        self._done[file] = done
        if self.clock is None:
            self.clock = Clock(now)
        all_done = sum(list(self._done.values()))  # a copy: other threads add files
        self.clock.report(all_done, now)
        return all_done

    def number(self, file: "Progress") -> int:
        """The number of a file, from 1."""
        return list(self._done).index(file) + 1


class Progress:
    """Draws the progress line. The coder calls `report(done)` with bytes of the source; `total` is None where it is unknown. overall: the
    other files of the call; the percentage and the time left are then of all files."""

    def __init__(self, name: str, total: int | None, quiet: bool, overall: Overall | None = None) -> None:
        self._name, self._total, self._overall = name, total, overall
        self._clock = Clock(time.monotonic())
        self._shown = self._clock.began
        self._line = MovingLine(not quiet)

    @property
    def began(self) -> float:
        """When coding began, after start-up."""
        return self._clock.began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._clock.began

    def report(self, done: int) -> None:
        signals.check()
        now = time.monotonic()
        self._clock.report(done, now)
        name, clock, total = self._name, self._clock, self._total
        if self._overall:
            done = self._overall.report(self, done, now)
            clock, total = self._overall.clock or clock, self._overall.total
        if now - self._shown < 0.1:
            return
        self._shown = now
        if self._overall:
            name = f"{name} ({self._overall.number(self)} of {self._overall.count})"
        percent = f"{min(done / total, 1.0):4.0%}  " if total else ""
        parts = [size(done), clock.speed, clock.left(total) if total else ""]
        self._line.draw(f"{name}: {percent}{', '.join(filter(None, parts))}")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._overall and self._total:
            self._overall.report(self, self._total, time.monotonic())
        self._line.clear()
