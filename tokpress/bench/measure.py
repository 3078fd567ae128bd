"""Measure one codec on one file: compress, decompress, compare and time, each in a fresh process.

Seconds and peak memory are those of the whole process: start of the interpreter, imports and loading of the model included.
A second figure has the seconds of the codec alone, with the loading of the model.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import launch
from .codec import Codec
from .peers import find

ACTIONS = ("compress", "decompress")


@dataclass
class Row:
    """Figures of a codec on one file, or (`files` > 1) on several. None: unknown, or not measured because of `error`. models: name → bytes of
    the models that decoding needs."""

    file: str
    codec: str
    source_bytes: int
    files: int = 1
    compressed_bytes: int | None = None
    compress_seconds: float | None = None
    decompress_seconds: float | None = None
    compress_codec_seconds: float | None = None
    decompress_codec_seconds: float | None = None
    compress_peak_bytes: int | None = None
    decompress_peak_bytes: int | None = None
    header_bytes: int | None = None
    stored: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    verified: bool = False
    error: str | None = None

    @property
    def bits_per_byte(self) -> float | None:
        if self.compressed_bytes is None or not self.source_bytes:
            return None
        return 8 * self.compressed_bytes / self.source_bytes

    @property
    def model_bytes(self) -> int:
        return sum(self.models.values())

    @property
    def peak_bytes(self) -> int | None:
        peaks = [peak for peak in (self.compress_peak_bytes, self.decompress_peak_bytes) if peak is not None]
        return max(peaks, default=None)

    def speed(self, action: str, codec_only: bool = False) -> float | None:
        """Source bytes per second of `action`, by the seconds of the process or of the codec."""
        seconds = getattr(self, f"{action}_codec_seconds" if codec_only else f"{action}_seconds")
        return self.source_bytes / seconds if seconds and self.source_bytes else None

    def to_json(self) -> dict[str, Any]:
        speeds = {f"{action}_bytes_per_second": self.speed(action) for action in ACTIONS}
        return asdict(self) | {"bits_per_byte": self.bits_per_byte, "model_bytes": self.model_bytes} | speeds


#: a command and its folder → seconds, peak memory in bytes, stdout
Timer = Callable[[Sequence[str], Path], tuple[float, int | None, bytes]]


class Failed(Exception):
    """The process of the codec failed."""


def measure(
    codec: Codec, path: Path, shown: str = "", repeat: int = 1, rounds: int = 1, timer: Timer | None = None
) -> Row:
    """Compress and decompress the file at `path` `repeat` times, each time in new processes; times are the best.

    rounds: repetitions in one process, for the seconds of a warm codec (process seconds are then meaningless). timer: runs and times a process;
    default: `timed`. A codec that fails or decodes to other bytes gives a row with `error`, not an exception."""
    with tempfile.TemporaryDirectory(prefix="tokpress-bench-") as name:
        place = Path(name)
        source, packed, restored = place / "source", place / f"packed{codec.suffix}", place / "restored"
        shutil.copyfile(path, source)  # a copy cannot change meanwhile
        row, expected = Row(shown or str(path), codec.name, source.stat().st_size), digest(source)
        try:
            for _ in range(repeat):
                packed.unlink(missing_ok=True)
                restored.unlink(missing_ok=True)
                _run(row, codec, "compress", source, packed, rounds, timer or timed)
                size = packed.stat().st_size if packed.is_file() else None
                if size is None:
                    raise Failed("wrote nothing")
                if row.compressed_bytes not in (None, size):
                    raise Failed(f"compressed to {row.compressed_bytes:,} bytes first and to {size:,} bytes now")
                row.compressed_bytes = size
                _run(row, codec, "decompress", packed, restored, rounds, timer or timed)
                if not restored.is_file() or digest(restored) != expected:
                    raise Failed("decoded to other bytes than the source's")
            row.verified = True
        except Failed as failed:
            row = Row(row.file, row.codec, row.source_bytes, error=str(failed))
    return row


def _run(row: Row, codec: Codec, action: str, source: Path, target: Path, rounds: int, timer: Timer) -> None:
    """Run one process, and put its figures in `row`."""
    seconds, peak, printed = timer(codec.command(action, source.name, target.name, rounds), source.parent)
    _keep(row, f"{action}_seconds", seconds, min)
    _keep(row, f"{action}_peak_bytes", peak, max)
    with contextlib.suppress(ValueError):  # other programs do not print JSON
        facts = json.loads(printed)
        _keep(row, f"{action}_codec_seconds", facts.pop("codec_seconds"), min)
        for name, value in facts.items():
            setattr(row, name, value)


def _keep(row: Row, name: str, value: Any, better: Callable[[Any, Any], Any]) -> None:
    old = getattr(row, name)
    setattr(row, name, value if old is None else old if value is None else better(old, value))


def timed(command: Sequence[str], folder: Path, **settings: Any) -> tuple[float, int | None, bytes]:
    """(seconds, peak bytes, stdout) of a command run in `folder`. Raises Failed where it exits otherwise than by 0."""
    result = folder / "launched.json"
    # as users run it: with the bytecode cache of Python
    settings.setdefault("env", {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"})
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(result), *command]
    started = subprocess.Popen(
        launcher, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, **settings,
    )  # fmt: skip
    try:
        out, err = started.communicate()
    except BaseException:  # interrupted: end the process too
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(started.pid, signal.SIGKILL)
            started.kill()
        started.wait()
        raise
    last = (err.decode(errors="replace").strip() or out.decode(errors="replace").strip() or "says nothing").splitlines()
    try:
        facts = json.loads(result.read_text())
    except (OSError, ValueError):
        raise Failed(f"could not be started: {last[-1]}") from None
    result.unlink()
    if facts["code"]:
        raise Failed(f"exit code {facts['code']}: {last[-1]}")
    return facts["seconds"], facts["peak_bytes"], out


def total(rows: Iterable[Row], name: str = "total") -> Row:
    """The rows of one codec as one row: sums of bytes and seconds, the highest peak, each model once.

    A failed file leaves the sum unknown."""
    rows = list(rows)
    summed = Row(name, rows[0].codec, sum(r.source_bytes for r in rows), files=sum(r.files for r in rows))
    if failed := sum(r.error is not None for r in rows):
        summed.error = f"{failed} of {len(rows)} failed"
        return summed
    seconds = [f"{action}{whose}_seconds" for action in ACTIONS for whose in ("", "_codec")]
    peaks = [f"{action}_peak_bytes" for action in ACTIONS]
    for name in ("compressed_bytes", "header_bytes", *seconds, *peaks):
        values = [getattr(row, name) for row in rows]
        setattr(summed, name, None if None in values else max(values) if name in peaks else sum(values))
    for row in rows:
        summed.models |= row.models
        for kind, count in row.stored.items():
            summed.stored[kind] = summed.stored.get(kind, 0) + count
    summed.verified = all(r.verified for r in rows)
    return summed


def digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@dataclass
class Run:
    """The rows of one bench, and its settings."""

    codecs: list[Codec]
    skipped: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    repeat: int = 1

    @property
    def totals(self) -> list[Row]:
        """A row for each codec over all files; none for a single file."""
        by_codec = ([r for r in self.rows if r.codec == codec.name] for codec in self.codecs)
        return [total(rows) for rows in by_codec if len(rows) > 1]

    @property
    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.error]


def prepare(names: Iterable[str], repeat: int = 1) -> Run:
    """A run of these codecs, without those that cannot be run here. Raises BenchError for unknown names."""
    run = Run([], repeat=repeat)
    for name in dict.fromkeys(names):
        codec = find(name)
        if reason := codec.missing():
            run.skipped[name] = reason
        else:
            run.codecs.append(codec)
    return run
