"""The models at hand, for people: shipped ones and those in the folders of $TOKPRESS_MODELS."""

import contextlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any


def by_id(given: Iterable[str] = ()) -> dict[bytes, tuple[str, Path]]:
    """id → (name, folder). Models are hashed, not opened; what is no model is passed over, unless it was given.

    given: names or directories, beside the models at hand. Raises ModelError where one of these is no model."""
    from tokpress.errors import ModelError
    from tokpress.folder import TOKENIZER_ONLY, identity, tokenizer_only
    from tokpress.store import find, folders

    found: dict[bytes, tuple[str, Path]] = {}
    for model in given:
        folder = find(model)
        if tokenizer_only(folder):
            raise ModelError(TOKENIZER_ONLY.format(folder))
        try:
            found[identity(folder)] = folder.resolve().name, folder
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{folder} is no sound model directory: {error}") from None
    for name, folder in folders().items():
        with contextlib.suppress(OSError, ValueError, RecursionError):
            found.setdefault(identity(folder), (name, folder))
    return found


@lru_cache(maxsize=256)
def loses(folder: Path) -> bool | None:
    """Whether a model's tokenizer loses information, by its config alone; None: of no known kind."""
    from tokpress.errors import UnknownComponentError
    from tokpress.registry import tokenizer_class

    try:
        config = json.loads((folder / "config.json").read_text())["tokenizer"]
        kinds = [tokenizer_class(each["name"]) for each in (config, *config.get("parts", []))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UnknownComponentError):
        return None
    return not all(kind.lossless for kind in kinds)


def describe(name: str, folder: Path) -> dict[str, Any]:
    """What a model directory says about itself; its bytes and parameters with those of models whose weights it uses. Raises OSError, ValueError, KeyError, TypeError where it does not."""
    from tokpress.folder import identity, needed
    from tokpress.store import needs

    config, used = json.loads((folder / "config.json").read_text()), list(needs(folder).values())
    parts = [path for each in used for path in needed(each)]
    card = folder / "README.md"
    return {
        "name": name,
        "id": identity(folder).hex(),
        "tokenizer": config["tokenizer"]["name"],
        "prior": config["prior"]["name"],
        "model_bytes": sum(part.stat().st_size for part in parts),
        "parameters": sum(_parameters(each / "model.safetensors") for each in used),
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
