"""The models at hand, for people: shipped ones and those in the folders of $TOKPRESS_MODELS."""

import json
from pathlib import Path
from typing import Any


def names_by_id() -> dict[bytes, str]:
    """id → name. Models are hashed, not opened; what is no model is passed over."""
    from tokpress.model import identity
    from tokpress.store import folders

    found: dict[bytes, str] = {}
    for name, folder in folders().items():
        try:
            found.setdefault(identity(folder), name)
        except (OSError, ValueError, RecursionError):
            continue
    return found


def describe(name: str, folder: Path) -> dict[str, Any]:
    """What a model directory says about itself. Raises OSError, ValueError, KeyError, TypeError where it does not."""
    from tokpress.model import PARTS, identity

    config = json.loads((folder / "config.json").read_text())
    parts = [folder / part for part in ("config.json", *PARTS) if (folder / part).is_file()]
    card = folder / "README.md"
    return {
        "name": name,
        "id": identity(folder).hex(),
        "tokenizer": config["tokenizer"]["name"],
        "prior": config["prior"]["name"],
        "model_bytes": sum(part.stat().st_size for part in parts),
        "parameters": _parameters(folder / "model.safetensors"),
        "folder": str(folder),
        "card": str(card) if card.is_file() else None,
    }


def _parameters(path: Path) -> int:
    """Numbers in a safetensors file, read off its header: 8 bytes of length, then JSON."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError(f"{path.name} is damaged")
        header = json.loads(file.read(length))
    total = 0
    for key, entry in header.items():
        if key != "__metadata__":
            count = 1
            for extent in entry["shape"]:
                count *= extent
            total += count
    return total
