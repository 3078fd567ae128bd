"""The base of every codec of the bench: a name, a level, and a command that codes one file in a process of its own."""

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from ..errors import TokpressError


class BenchError(TokpressError):
    """A codec is unknown, or cannot be run."""


class Codec(ABC):
    """One way to compress, written KIND or KIND:LEVEL ("zstd", "zstd:19")."""

    kind: ClassVar[str]
    #: suffix of a compressed file
    suffix: ClassVar[str] = ""

    def __init__(self, level: str = "") -> None:
        self.name = f"{self.kind}:{level}" if level else self.kind

    @abstractmethod
    def missing(self) -> str | None:
        """Why it cannot be run here, and what to do; None where it can."""

    @abstractmethod
    def describe(self) -> str:
        """Implementation, version and settings."""

    @abstractmethod
    def command(self, action: str, source: str, target: str, rounds: int) -> list[str]:
        """A process that makes `target` of `source`; action: "compress" or "decompress"."""


class InPython(Codec):
    """A codec without a program of its own: `tokpress.bench.child` calls `run`."""

    def command(self, action: str, source: str, target: str, rounds: int) -> list[str]:
        child = [sys.executable, "-P", "-m", "tokpress.bench.child"]
        return [*child, self.spec(), action, source, target, str(rounds)]

    def spec(self) -> str:
        """The name by which the child, in another folder, finds this codec."""
        return self.name

    @abstractmethod
    def run(self, action: str, source: Path, target: Path) -> tuple[float, dict[str, Any]]:
        """Code one file. Returns (seconds of the codec, other fields of the row)."""


def parse_level(name: str, level: str, meaning: str, levels: range) -> int:
    if not level.isascii() or not level.isdigit() or int(level) not in levels:
        raise BenchError(f"{name}: its {meaning} must be {levels[0]} … {levels[-1]}, not {level!r}")
    return int(level)
