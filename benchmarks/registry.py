"""A benchmark: named cases, each measured once and stored, and the page that shows them."""

import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from .data import expanded
from .store import Results

COMMAND = [sys.executable, "-m", "tokpress.cli"]
#: name of a case → what measures it; returns a JSON value
Cases = dict[str, Callable[[], Any]]


class MeasurementError(Exception):
    """A case that cannot be measured: told on stderr and tried again by the next call; the other cases go on."""


class OutOfTime(Exception):
    """The minutes that the user gave are used up."""


@dataclass
class Setup:
    """What the command line says, for every benchmark alike."""

    #: the folder with bench/ and train/
    data: Path
    #: models, checkpoints and temporary files of this benchmark; kept between calls
    work: Path
    #: the repository, or where else docs/ and benchmarks/results/ are written
    root: Path
    #: FILE… on the command line
    files: tuple[Path, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    #: time.monotonic() at which no further case begins
    deadline: float = float("inf")
    #: facts about this run that the page shows, such as versions of codecs; stored with the run
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    @property
    def train_data(self) -> Path:
        return self.data / "train"

    @property
    def bench_data(self) -> Path:
        return self.data / "bench"

    @cached_property
    def bench(self) -> dict[str, Path]:
        """Name → path of every test file, archives expanded."""
        return expanded(self.bench_data, self.work.parent)

    @property
    def sources(self) -> dict[str, Path]:
        """FILE…, or all test files where none is named."""
        return {path.name: path for path in self.files} or self.bench

    def train(self, words: list[str], folder: Path) -> None:
        """Run `tokpress train …`, which writes `folder`, unless the model is there.

        Raises OutOfTime at the deadline; training then saves a checkpoint (SIGTERM), which the next call resumes."""
        if (folder / "config.json").is_file():
            return
        left = self.deadline - time.monotonic()
        if left < 60:
            raise OutOfTime
        # a run that was killed before its first checkpoint begins anew
        resumed = ["--resume"] if (folder / ".checkpoint" / "run.json").is_file() else ["-f"]
        process = subprocess.Popen([*COMMAND, *words, *resumed])
        try:
            code = process.wait(timeout=left if left < 1e8 else None)
        except BaseException as stopped:
            process.terminate()
            process.wait()
            if isinstance(stopped, subprocess.TimeoutExpired):
                raise OutOfTime from None
            raise
        if code:
            raise MeasurementError(f"tokpress {words[0]} ended with exit code {code}")


def tokpress(*words: object) -> float:
    """Run the command line; seconds of the process."""
    begun = time.monotonic()
    subprocess.run([*COMMAND, *map(str, words)], check=True)
    return time.monotonic() - begun


class Benchmark(ABC):
    """Measures named cases. The first line of its docstring says what it measures."""

    name: ClassVar[str]
    #: the pages that it writes, below the repository; "": it prints a table
    page: ClassVar[str]
    #: about how long it takes on two cores
    takes: ClassVar[str]
    #: name → default; `--set NAME=VALUE` changes one. A tuple is written with commas
    settings: ClassVar[dict[str, Any]]
    #: whether FILE… may be named
    takes_files: ClassVar[bool] = False
    #: whether its results are kept in benchmarks/results/
    stored: ClassVar[bool] = True
    #: whose versions are stored with the results
    packages: ClassVar[tuple[str, ...]] = ("numpy",)

    @abstractmethod
    def cases(self, setup: Setup) -> Cases:
        """What there is to measure with this data and these settings."""

    @abstractmethod
    def report(self, results: Results, setup: Setup) -> list[str]:
        """Write the page from what is stored; lines to print."""

    def failures(self, results: Results) -> list[str]:
        """What went wrong or missed its target: told on stderr, with exit code 1."""
        return []

    @classmethod
    def about(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]


#: by name, in the order of the modules in __init__.py
REGISTRY: dict[str, Benchmark] = {}


def benchmark(
    name: str, page: str = "", takes: str = "", settings: dict[str, Any] | None = None
) -> Callable[[type[Benchmark]], type[Benchmark]]:
    """Register a class: @benchmark("rates", page="docs/results.md", takes="3 hours", settings={"repeat": 1})."""

    def register(cls: type[Benchmark]) -> type[Benchmark]:
        cls.name, cls.page, cls.takes, cls.settings = name, page, takes, settings or {}
        REGISTRY[name] = cls()
        return cls

    return register
