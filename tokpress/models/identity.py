"""Ids of the shipped models, kept in a list so that opening a model does not hash 25 MB.

    shipped/ids.json        name → id, CRC-32 of its config.json, sizes of its other parts

An entry of the list is valid while config.json has this CRC and the other parts have these sizes. Otherwise the files are hashed, as for
any other model. A test compares the list with the files. `python -m tokpress.models.identity` writes the list again after a model has changed.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

from ..storage import files
from . import folder as folders

MODELS = Path(__file__).parent / "shipped"
LIST = "ids.json"


def described(folder: Path) -> dict[str, Any]:
    """The entry of a model in the list."""
    return {
        "id": folders.identity(folder).hex(),
        "config": crc32(files.read(folder / files.CONFIG) or b""),
        "sizes": _sizes(folder),
    }


def _sizes(folder: Path) -> dict[str, int]:
    """Name → bytes of each existing part."""
    parts = (folder / part for part in (*folders.PARTS, folders.TOKENIZER_PART))
    return {path.name: path.stat().st_size for path in parts if path.is_file()}


@lru_cache(maxsize=1)
def _listed(models: Path) -> dict[str, dict[str, Any]]:
    """Name → entry; empty if the list is missing or damaged."""
    try:
        entries = json.loads((models / LIST).read_bytes())
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def identity(folder: Path, models: Path = MODELS) -> bytes | None:
    """The id of a shipped model, from the list in `models`; None if `folder` is not in `models`, or was changed."""
    if folder.parent != models or (entry := _listed(models).get(folder.name)) is None:
        return None
    config = files.read(folder / files.CONFIG)
    if config is None or crc32(config) != entry["config"] or _sizes(folder) != entry["sizes"]:
        return None
    return bytes.fromhex(entry["id"])


def folder_of(id: bytes) -> Path | None:
    """The directory of the model with this id in the package."""
    name = next((name for name, entry in _listed(MODELS).items() if entry["id"] == id.hex()), None)
    return MODELS / name if name is not None and identity(MODELS / name) == id else None


def write() -> None:
    entries = {path.parent.name: described(path.parent) for path in sorted(MODELS.glob("*/config.json"))}
    (MODELS / LIST).write_text(json.dumps(entries, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write()
