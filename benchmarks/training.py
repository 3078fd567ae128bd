"""What benchmarks that train models share: words of the command line, corpora, and what a run leaves in its folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.models.model import Model


def sets(settings: dict[str, Any]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def limits(steps: int, rows: int = 32) -> list[str]:
    """Words that end a run after so many steps, whatever else the machine does."""
    return ["--max-steps", str(steps), "--rows", str(rows), "--no-compile", "-T", "1"]


def write(path: Path, content: bytes) -> Path:
    """A run is resumed on the same corpus only, so a file that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != content:
        path.write_bytes(content)
    return path


def curve_of(folder: Path) -> list[dict[str, Any]]:
    curve: list[dict[str, Any]] = json.loads((folder / "training_curve.json").read_text())
    return curve


def parameters(model: Model) -> int:
    return int(sum(t.size for t in model.prior.tensors().values() if t.dtype == np.int8))
