"""docs/lecture.md from benchmarks/results/lecture.json."""

from pathlib import Path
from typing import Any


def report(kept: dict[str, Any], docs: Path) -> None:
    """Nothing yet."""
