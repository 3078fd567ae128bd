"""The models at hand, for people: shipped ones and those in the folders of $TOKPRESS_MODELS."""

import contextlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any


def by_id(given: Iterable[str] = ()) -> dict[bytes, tuple[str, Path]]:
    """id → (name, folder). Models are hashed, not opened; what is no model is passed over, unless it was given.

    given: names or directories, beside the models at hand. Raises ModelError where one of these is no model."""
    from tokpress.errors import ModelError
    from tokpress.models.folder import TOKENIZER_ONLY, tokenizer_only
    from tokpress.models.store import find, folders, identity

    found: dict[bytes, tuple[str, Path]] = {}
    for model in given:
        folder = find(model)
        if tokenizer_only(folder):
            raise ModelError(TOKENIZER_ONLY.format(folder))
        try:
            found[identity(folder)] = folder.resolve().name, folder
        except ModelError as error:
            raise ModelError(f"{folder} is no sound model directory: {error}") from None
    for name, folder in folders().items():
        with contextlib.suppress(ModelError):
            found.setdefault(identity(folder), (name, folder))
    return found


@lru_cache(maxsize=256)
def loses(folder: Path) -> bool | None:
    """Whether a model's tokenizer loses information, by its config alone; None: of no known kind."""
    from tokpress.errors import ModelError, UnknownComponentError
    from tokpress.storage import files
    from tokpress.tokenizers.registry import TOKENIZERS

    try:
        config = files.config(folder)["tokenizer"]
        kinds = [TOKENIZERS.find(each["name"]) for each in (config, *config.get("parts", []))]
    except (ModelError, KeyError, TypeError, AttributeError, UnknownComponentError):
        return None
    return not all(kind.lossless for kind in kinds)


def describe(name: str, folder: Path) -> dict[str, Any]:
    """What a model directory says about itself; its bytes and parameters with those of models whose weights it uses. Raises ModelError where it does not."""
    from tokpress.models.folder import needed
    from tokpress.models.store import identity, with_weight_owners
    from tokpress.storage import files

    config, used = files.config(folder), list(with_weight_owners(folder).values())
    parts = [path for each in used for path in needed(each)]
    card = folder / "README.md"
    return {
        "name": name,
        "id": identity(folder).hex(),
        "tokenizer": _name(config, "tokenizer"),
        "prior": _name(config, "prior"),
        "model_bytes": sum(part.stat().st_size for part in parts),
        "parameters": sum(_parameters(each / "model.safetensors") for each in used),
        "folder": str(folder),
        "card": str(card) if card.is_file() else None,
    }


def _name(config: dict[str, Any], part: str) -> str:
    """Of the tokenizer or the prior of a model. Raises ModelError where its config names none."""
    from tokpress.errors import ModelError

    told = config.get(part)
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise ModelError(f"config.json names no {part}")
    return told["name"]


def _parameters(path: Path) -> int:
    """Numbers in a safetensors file; 0 where there is none. Raises ModelError where it is damaged."""
    from tokpress.storage import files, tensors

    if (data := files.read(path)) is None:
        return 0
    return tensors.read(data, path).size
