"""The models at hand, for people: shipped ones and those in the folders of $TOKPRESS_MODELS."""

import contextlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokpress.errors import TokpressError

#: what a model directory that is not sound may raise
BROKEN = (TokpressError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
#: numbers of a model, at most
MOST_PARAMETERS = 1 << 48
#: the highest bit of a payload's first byte, where the tokenizer takes apart pictures or sound: the rest follows its tokens
COMPLETED = 0x80


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
        except BROKEN as error:
            raise ModelError(f"{folder} is no sound model directory: {error}") from None
    for name, folder in folders().items():
        with contextlib.suppress(*BROKEN):
            found.setdefault(identity(folder), (name, folder))
    return found


@lru_cache(maxsize=256)
def _loses(folder: Path) -> tuple[bool, bool] | None:
    """(whether its tokenizer loses information, whether files can complete it) by its config alone; None: of no known kind."""
    from tokpress.registry import tokenizer_class

    try:
        config = json.loads((folder / "config.json").read_text())["tokenizer"]
        kinds = [tokenizer_class(each["name"]) for each in (config, *config.get("parts", []))]
    except BROKEN:
        return None
    return not all(kind.lossless for kind in kinds), kinds[0].wants_grid


def restores(folder: Path, begin: bytes) -> str | None:
    """What a model's frame restores, "source" or "reconstruction", by what its payload begins with; None: not known."""
    if (found := _loses(folder)) is None:
        return None
    loses, completes = found
    return "reconstruction" if loses and not (completes and begin and begin[0] & COMPLETED) else "source"


def describe(name: str, folder: Path) -> dict[str, Any]:
    """What a model directory says about itself; its bytes and parameters with those of models whose weights it uses.

    Raises any of BROKEN where it is not sound."""
    from tokpress.folder import identity, needed
    from tokpress.store import needs

    config, used = json.loads((folder / "config.json").read_text()), list(needs(folder).values())
    parts = [path for each in used for path in needed(each)]
    card = folder / "README.md"
    return {
        "name": name,
        "id": identity(folder).hex(),
        "tokenizer": _text(config["tokenizer"]["name"]),
        "prior": _text(config["prior"]["name"]),
        "model_bytes": sum(part.stat().st_size for part in parts),
        "parameters": sum(_parameters(each / "model.safetensors") for each in used),
        "folder": str(folder),
        "card": str(card) if card.is_file() else None,
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name should be a text, and is {str(value)[:40]}")
    return value


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
                if not isinstance(extent, int) or not 0 <= extent <= MOST_PARAMETERS:
                    raise ValueError(f"{path.name} is damaged: a tensor has an extent of {str(extent)[:40]}")
                count = min(count * extent, MOST_PARAMETERS)
            total += count
    return total
