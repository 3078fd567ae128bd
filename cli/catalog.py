"""Models by name: those in the places where tokpress looks (`tokpress.models.places`), and those that -m names."""

import contextlib
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import streams

if TYPE_CHECKING:
    from tokpress.codec.context import Context
    from tokpress.models.model import Model
    from tokpress.models.places import Entry


def load(names: Iterable[str], given: str | None = None) -> "list[Model]":
    """The models that -m names; conditional ones predict from the file `given`. Raises ModelError, UsageError."""
    from tokpress.models import store

    models = [store.load(name) for name in names]
    if given is None:
        return models
    if not any(model.prior.rules.given_size for model in models):
        raise click.UsageError("--given needs a conditional model: name one with -m")
    source = Path(given).read_bytes()
    return [model.given(source) if model.prior.rules.given_size else model for model in models]


def context_bytes(names: Iterable[str], files: Collection[str]) -> bytes:
    """The files of --context, joined; - is stdin. files: the inputs of the call. Raises OSError, UsageError."""
    parts, named = [], [*files]
    for name in names:
        if name == "-" and name in named:
            raise click.UsageError(
                "--context -: stdin is read once: name a file for the context, or for the other input"
            )
        named.append(name)
        with streams.opened(name) as file:
            parts.append(file.read())
    return b"".join(parts)


def context(name: str | None, files: Collection[str]) -> "Context | None":
    """The file of --context. With several inputs, what a model is after it is kept. Raises OSError, UsageError."""
    if name is None:
        return None
    from tokpress.codec.context import Context

    try:
        return Context(context_bytes([name], files), keep=len(files) > 1)
    except ValueError as error:
        raise click.UsageError(f"--context {name}: {error}") from None


def by_id(given: Iterable[str] = ()) -> dict[bytes, tuple[str, Path]]:
    """id → (name, folder). Models are hashed, not loaded. Directories that hold no model are skipped.

    given: more names or directories. Raises ModelError where one of these is not a model."""
    from tokpress.errors import ModelError
    from tokpress.models import places
    from tokpress.models.folder import TOKENIZER_ONLY, tokenizer_only
    from tokpress.models.store import find, identity

    models: dict[bytes, tuple[str, Path]] = {}
    for name in given:
        folder = find(name)
        if tokenizer_only(folder):
            raise ModelError(TOKENIZER_ONLY.format(folder))
        try:
            models[identity(folder)] = folder.resolve().name, folder
        except ModelError as error:
            raise ModelError(f"{folder} is not a valid model directory: {error}") from None
    for entry in places.entries():
        with contextlib.suppress(ModelError):
            models.setdefault(entry.id or identity(entry.folder), (entry.name, entry.folder))
    return models


@lru_cache(maxsize=256)
def is_lossy(folder: Path) -> bool | None:
    """Whether a model's tokenizer is lossy, by its config; None: unknown."""
    from tokpress.errors import ModelError, UnknownComponentError
    from tokpress.storage import files
    from tokpress.tokenizers.registry import TOKENIZERS

    try:
        config = files.config(folder)["tokenizer"]
        kinds = [TOKENIZERS.find(component["name"]) for component in (config, *config.get("parts", []))]
    except (ModelError, KeyError, TypeError, AttributeError, UnknownComponentError):
        return None
    return not all(kind.lossless for kind in kinds)


def describe(entry: "Entry") -> dict[str, Any]:
    """A row of `tokpress models`. Raises ModelError where the directory is damaged."""
    from tokpress.models.folder import needed
    from tokpress.models.store import identity
    from tokpress.storage import files

    folder = entry.folder
    config, card = files.config(folder), folder / "README.md"
    return {
        "name": entry.name,
        "id": identity(folder).hex(),
        "tokenizer": _name(config, "tokenizer"),
        "prior": _name(config, "prior"),
        "model_bytes": sum(part.stat().st_size for part in needed(folder)),
        "parameters": _parameters(folder / "model.safetensors"),
        "place": entry.origin,
        "folder": str(folder),
        "card": str(card) if card.is_file() else None,
    }


def _name(config: dict[str, Any], part: str) -> str:
    """The name of the tokenizer or prior. Raises ModelError where config.json has none."""
    from tokpress.errors import ModelError

    component = config.get(part)
    if not isinstance(component, dict) or not isinstance(component.get("name"), str):
        raise ModelError(f"config.json names no {part}")
    return str(component["name"])


def _parameters(path: Path) -> int:
    """Numbers in a safetensors file; 0 where there is none. Raises ModelError where it is damaged."""
    from tokpress.storage import files, tensors

    if (data := files.read(path)) is None:
        return 0
    return tensors.read(data, path).size
