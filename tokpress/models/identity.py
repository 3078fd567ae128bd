"""Ids of models that are installed: kept in lists, so that opening or finding a model does not hash 25 MB.

    shipped/ids.json        name → id, CRC-32 of its config.json, sizes of its other parts
    shipped/former.json     id → where a model is that an earlier release shipped, and this one does not

An entry of the list is valid while config.json has this CRC and the other parts have these sizes. Otherwise the files are hashed, as for
any other model. A test compares the list with the files. `python -m tokpress.models.identity` writes the list again after a model has changed.
Weights never change under an id: other weights are another model. `tokpress/models/package.py` builds the packages that former.json names.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from ..storage import files
from . import folder as folders

MODELS = Path(__file__).parent / "shipped"
LIST, FORMER = "ids.json", "former.json"


class Former(NamedTuple):
    """A model that left the package. name, release: those it had last. package, repository: data package or repository of the Hub,
    "user/model@COMMIT", that has it now; empty if none has."""

    name: str
    release: str
    package: str = ""
    repository: str = ""


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


@lru_cache(maxsize=8)
def _table(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of a list; none if it is missing or damaged."""
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _listed(models: Path) -> dict[str, dict[str, Any]]:
    return _table(models / LIST)


def ids(models: Path) -> dict[str, bytes]:
    """Name → id of the models in a folder with a list. The files may have changed."""
    return {name: bytes.fromhex(entry["id"]) for name, entry in _listed(models).items()}


def former(id: bytes, models: Path = MODELS) -> Former | None:
    """The model of an earlier release with this id."""
    entry = _table(models / FORMER).get(id.hex())
    return Former(**entry) if entry else None


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


def write(models: Path = MODELS) -> None:
    """Write the list of the models in a folder."""
    entries = {path.parent.name: described(path.parent) for path in sorted(models.glob("*/config.json"))}
    (models / LIST).write_text(json.dumps(entries, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write()
