"""Read a model directory and make a model of it. Every file is checked; an error names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ModelError, TokenizerError, TokpressError, UnknownComponentError
from ..native.library import CoreError
from ..priors.base import Prior
from ..priors.compose.parts import kind_of
from ..registry import blame
from ..storage import files as model_files
from ..storage import tensors
from ..storage.tensors import Tensors
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from . import folder as files
from . import identity

M = TypeVar("M")


def build(folder: str | os.PathLike[str], kind: Callable[[Tokenizer, Prior, bytes, str, str], M], name: str = "") -> M:
    """`kind(tokenizer, prior, id, name, card)` of a model directory. name: by default that of the directory.

    Raises ModelError, TokenizerError or UnknownComponentError; the message names the file that is wrong."""
    folder = Path(folder)
    config = model_files.config(folder)
    if files.lacks_prior(config):
        raise ModelError(files.TOKENIZER_ONLY.format(folder))
    id, card = identity.identity(folder), model_files.read(folder / model_files.CARD)
    trusted = id is not None
    parts = {} if trusted else files.parts(folder)
    try:
        tokenizer, prior = _components(folder, config, _weights(folder, parts, trusted))
        text = "" if card is None else card.decode("utf-8", "replace")
        model = kind(tokenizer, prior, id or files.identity_of(config, parts), name or folder.name, text)
    except (ModelError, TokenizerError, UnknownComponentError) as error:
        raise (error if str(folder) in str(error) else type(error)(f"{folder}: {error}")) from error.__cause__
    except (
        MemoryError,
        ImportError,
        SystemError,
        CoreError,
    ):  # of the installation or a memory limit, not of the model
        raise
    except tensors.MissingTensorError as error:
        raise ModelError(f"{folder / model_files.WEIGHTS}: {error}; tensors() of its prior should return it") from error
    except Exception as error:  # also of components outside of tokpress
        where = blame(error)
        message = str(error) if isinstance(error, TokpressError) else where or f"{type(error).__name__}: {error}"
        message += "; load gets the settings that config() returns" if where and isinstance(error, KeyError) else ""
        raise ModelError(f"{folder / model_files.CONFIG} lacks or garbles a setting: {message}") from error
    for part in parts.keys() - {model_files.WEIGHTS}:  # read by the tokenizer a second time
        if parts[part] != model_files.read(folder / part):
            raise ModelError(f"{folder / part} changed while it was read: open the model again")
    return model


def _weights(folder: Path, parts: dict[str, bytes | None], trusted: bool) -> Tensors:
    """The tensors of model.safetensors; none if it is missing. The file of a shipped model (`trusted`) is memory-mapped. Other files
    are read and hashed: a mapped file could change after it was checked."""
    path = folder / model_files.WEIGHTS
    if trusted and path.is_file():
        return tensors.read(model_files.mapped(path), path, trusted=True)
    weights = parts.get(model_files.WEIGHTS)
    return Tensors({}) if weights is None else tensors.read(weights, path)


def _components(folder: Path, config: dict[str, Any], weights: Tensors) -> tuple[Tokenizer, Prior]:
    """The tokenizer and the prior that config.json describes, with these weights."""
    path = folder / model_files.CONFIG
    versions = config.get("format", files.FORMAT), config.get("exact_profile", files.EXACT_PROFILE)
    if versions != (files.FORMAT, files.EXACT_PROFILE):  # before the settings, which a newer format may change
        raise ModelError(
            f"{path} has format {versions[0]}, exact profile {versions[1]}; this tokpress "
            f"reads {files.FORMAT} and {files.EXACT_PROFILE}: use the version that wrote it, or a newer one"
        )
    model_files.check_settings("a model", config, {"format", "exact_profile", "tokenizer", "prior"})
    if not isinstance(component := config["tokenizer"], dict) or not isinstance(component.get("name"), str):
        raise ModelError(f"{path} names no tokenizer")
    settings = {key: value for key, value in component.items() if key != "name"}
    tokenizer = TOKENIZERS.find(component["name"]).load(folder, settings)
    kind, settings = kind_of(config["prior"])
    prior = kind.load(settings, weights, tokenizer.vocab_size)
    if not weights.trusted:
        for given, made in ((component, tokenizer.config()), (config["prior"], prior.config())):
            _check_complete(given, made, path)
    return tokenizer, prior


def _check_complete(given: Any, made: Any, path: Path) -> None:
    """Raises ModelError where a setting is missing. Its default may be another one in another release."""
    if isinstance(given, list) and isinstance(made, list):
        for parts in zip(given, made, strict=True):
            _check_complete(*parts, path)
    if isinstance(given, dict) and isinstance(made, dict):
        if missing := sorted(made.keys() - given.keys()):
            raise ModelError(
                f"{path} lacks the setting {missing[0]!r}: give it, this tokpress has {made[missing[0]]!r}"
            )
        for name in made:
            _check_complete(given[name], made[name], path)
