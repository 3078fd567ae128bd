"""What a person sees on stderr: a line that moves while work goes on, and one that stays at the end."""

import sys
import time
from collections.abc import Callable

import click


def size(count: int) -> str:
    power = 0 if count < 10_000 else 1 if count < 10**6 else 2 if count < 10**9 else 3
    return f"{count / 1000**power:,.{min(power, 1)}f} {' kMG'[power].strip()}B"


def rates(source_bytes: int, file_bytes: int) -> str:
    if not source_bytes:
        return "ratio –"
    return f"ratio {source_bytes / max(file_bytes, 1):.2f}, {8 * file_bytes / source_bytes:.3f} bits per byte"


def speed(source_bytes: int, seconds: float) -> str:
    return f"{source_bytes / 1e6 / max(seconds, 1e-9):.2f} MB/s"


def note(message: str, quiet: bool = False) -> None:
    if not quiet:
        click.echo(message, err=True)


class Progress:
    """`report(done)` as the pipeline calls it; with `share`, that tells which part of the work is done (0 … 1)."""

    def __init__(self, name: str, total: int | None, quiet: bool, share: Callable[[], float] | None = None) -> None:
        self._name, self._total, self._share = name, total, share
        self._start = self._shown = time.monotonic()
        self._live = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._drawn = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def report(self, done: int) -> None:
        now = time.monotonic()
        if not self._live or now - self._shown < 0.1:
            return
        self._shown, self._drawn = now, True
        part = self._share() if self._share else done / self._total if self._total else 0.0
        line = f"{self._name}: {part:4.0%}  {size(done)}, {speed(done, self.seconds)}"
        if part > 0.01:
            minutes, seconds = divmod(round(self.seconds * (1 - part) / part), 60)
            line += f", {minutes}:{seconds:02} left"
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
