"""Progress of a training run on stderr, and how Ctrl-C stops the run.

A terminal shows a bar for each phase, with the time left. Other outputs get a line for each phase and each evaluation.
"""

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from typing import Any

from .progress import size
from .signals import Interrupted
from .terminal import is_live, note, note_above, printable

#: without a terminal: seconds between lines about reading
PLAIN_SECONDS = 30.0
#: columns of the longest first word of a phase, the bar and the percentage
BESIDE = 28
#: columns of a terminal that has room for whole names of phases
WIDE = 120


class Display:
    """A tokpress.training.run.Watcher that prints on stderr."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self.training, self.signum = quiet, False, 0
        self._bar: Any = None
        self._task: Any = None
        self._last_line, self._points = time.monotonic(), 0
        self._name = ""

    def __enter__(self) -> "Display":
        if not self.quiet and is_live():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
            from rich.table import Column

            facts_column = Column(
                ratio=1, no_wrap=True, overflow="ellipsis"
            )  # a narrow terminal shortens only this column
            facts = TextColumn("{task.fields[facts]}", table_column=facts_column, markup=False)
            columns = (TextColumn("{task.description}", markup=False), BarColumn(10), TaskProgressColumn(), facts)
            self._bar = Progress(*columns, console=Console(stderr=True), refresh_per_second=4, expand=True)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def phase(self, name: str) -> None:
        self._name, self.training = name, name.startswith("Training")
        if self._bar:
            if self._task is not None:
                self._bar.update(self._task, completed=1.0)
            is_wide = self._bar.console.width >= WIDE
            self._task = self._bar.add_task(printable(name if is_wide else name.split()[0]), total=1.0, facts="")
        else:
            note(f"{name} …", self.quiet)
        self._last_line = time.monotonic()

    def note(self, message: str) -> None:
        if self._bar:
            note_above(self._bar, message)
        else:
            note(message, self.quiet)

    def bytes(self, done: int, total: int) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done / max(total, 1), facts=f"{size(done)} of {size(total)}")
        elif time.monotonic() - self._last_line > PLAIN_SECONDS:
            note(f"{self._name}: {size(done)} of {size(total)}", self.quiet)
            self._last_line = time.monotonic()

    def step(self, progress: Any) -> None:
        if self._bar:
            self._bar.update(
                self._task,
                completed=min(progress.fraction, 1.0),
                facts=printable(facts(progress, self._bar.console.width - BESIDE)),
            )
        elif len(progress.curve) > self._points:
            note(f"{min(progress.fraction, 1):4.0%}  {facts(progress)}", self.quiet)
        self._points = len(progress.curve)

    def stop(self) -> bool:
        return self.signum != 0

    @contextlib.contextmanager
    def stoppable(self) -> Iterator[None]:
        """During training, the first signal ends the run after the current step, with a checkpoint. A second signal, and a signal in
        other phases, interrupts at once."""
        before = {}
        with contextlib.suppress(ValueError):  # not in the main thread: nothing to catch
            for signum in (signal.SIGINT, signal.SIGTERM):
                before[signum] = signal.signal(signum, self._request_stop)
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _request_stop(self, signum: int, frame: Any) -> None:
        if not self.training or self.signum:
            raise Interrupted(signum)
        self.signum = signum
        self.note("stopping after this step, with a checkpoint (Ctrl-C again: stop at once)")


def facts(progress: Any, columns: int = 1000) -> str:
    """One line about a training step: the most important figures, as many as fit the columns."""
    parts = []
    if 0.01 < progress.fraction < 1:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    if progress.summary:
        parts.append(progress.summary)
    bits = {"held-out": progress.held_out_bits_per_byte, "train": progress.train_bits_per_byte}
    if known := [f"{name} {value:.3f}" for name, value in bits.items() if not math.isnan(value)]:
        parts.append(f"{', '.join(known)} bits/byte")
    unit = "values" if progress.summary else "tokens"
    parts += [
        f"step {progress.step:,}",
        f"{progress.tokens_per_second:,.0f} {unit}/s",
        f"lr {progress.learning_rate:.2g}",
    ]
    while len(parts) > 1 and len(", ".join(parts)) > columns:
        parts.pop()
    return ", ".join(parts)
