"""One module per group of figures of acceptance.py. Each has `run(bench) -> (figures, lines of detail)`.

What takes long goes through `bench.once`, which keeps every measurement as soon as it is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import Figure

from tokpress.bench.measure import Row, measure
from tokpress.bench.peers import find

Outcome = tuple[list[Figure], list[str]]


@dataclass
class Bench:
    """files: name → path of the data folder, expanded. scratch: where files may be made."""

    files: dict[str, Path]
    scratch: Path
    once: Callable[[str, Callable[[], Any]], Any]

    def row(
        self, codec: str, name: str, path: Path, repeat: int = 1, rounds: int = 1, strict: bool = True
    ) -> dict[str, Any]:
        """`measure`, kept as JSON. `strict`: RuntimeError where the codec failed, as no figure can be told then."""

        def make() -> dict[str, Any]:
            row: Row = measure(find(codec), path, name, repeat, rounds)
            if row.error and strict:
                raise RuntimeError(f"{name}: {codec}: {row.error}")
            return row.to_json()

        times = f", best of {repeat}" * (repeat > 1) + f", {rounds} rounds" * (rounds > 1)
        return self.once(f"{codec} on {name}{times}", make)


def fewer(ours: int, theirs: int) -> float:
    """By how many per cent `ours` is smaller."""
    return 100 * (1 - ours / theirs)


def rate(total_bytes: int, seconds: float) -> float:
    """Thousands of bytes per second."""
    return total_bytes / 1000 / seconds
