"""Find a model: among those of the package, in the folders that $TOKPRESS_MODELS names, or by path."""

import os
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import RLock

from ..errors import ModelError, ModelMismatchError
from ..storage import files
from . import folder as folder_files
from . import identity as shipped
from .folder import stamp, weights_of
from .loading import open_folder
from .model import Model

SHIPPED = shipped.MODELS


#: one thread loads a model, the others that want it wait; a child of fork begins with a lock that is free
_loading = RLock()


@lru_cache(maxsize=8)
def _cached(folder: Path, stamp: tuple) -> Model:
    return load_folder(folder)


def identity(folder: Path) -> bytes:
    """The id of the model in a directory, by the list of the shipped ones, or by hashing its files. Raises ModelError."""
    return shipped.identity(folder) or folder_files.identity(folder)


@lru_cache(maxsize=256)
def _identity(folder: Path, stamp: tuple) -> bytes | None:
    """The id of the model in a folder. None, with a warning, where there is none: others may still be sound."""
    try:
        return identity(folder)
    except ModelError as error:
        warnings.warn(f"{folder} is no sound model directory, passed over: {error}", stacklevel=3)
        return None


def _open(folder: Path) -> Model:
    with _loading:  # a model may use the weights of another one, which is opened within
        return _cached(folder, stamp(folder))


def _after_fork() -> None:
    global _loading
    _loading = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def folders() -> dict[str, Path]:
    """name → directory of every model that can be had by name."""
    found = {p.parent.name: p.parent for p in sorted(SHIPPED.glob("*/config.json"))}
    for place in filter(None, os.environ.get("TOKPRESS_MODELS", "").split(os.pathsep)):
        for p in sorted(Path(place).glob("*/config.json")):
            found.setdefault(p.parent.name, p.parent)
    return found


def find(model: str | os.PathLike) -> Path:
    """The directory of a model given by name (`tokpress models` lists them) or directory."""
    named = folders().get(str(model))
    if named is None and not os.path.isdir(model):
        raise ModelError(f"no model called {str(model)!r}, nor a directory; there are: {', '.join(folders())}")
    return named or Path(model)


def load(model: "str | os.PathLike | Model") -> Model:
    """A model by name (`tokpress models` lists them) or directory; a Model is given back as it is.

    Raises ModelError where there is none, or a file of it is damaged.

    >>> import tokpress
    >>> model = tokpress.load("context-mixing")
    >>> model.name, model.tokenizer.name, model.prior.name
    ('context-mixing', 'bytes', 'context-mixing')
    >>> tokpress.load("no such model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tokpress.errors.ModelError: no model called 'no such model', nor a directory; there are: context-mixing, context-mixing-2d, ...
    """
    return model if isinstance(model, Model) else _open(find(model))


def _folder_of(id: bytes) -> Path | None:
    """By the list of the shipped ones, then by hashing what is here; none is opened."""
    if (found := shipped.folder_of(id)) is not None:
        return found
    return next((folder for folder in folders().values() if _identity(folder, stamp(folder)) == id), None)


def with_weight_owners(folder: Path) -> dict[str, Path]:
    """name → directory of a model, and of those whose weights it uses. Raises ModelError where they cannot be told."""
    others = {}
    for id in weights_of(files.config(folder)):
        if (other := _folder_of(id)) is None:
            raise ModelError(f"{folder} uses the weights of model {id.hex()}, which is not here")
        others[_with_weights(other).name] = other
    return {folder.name: folder, **others}


def _with_weights(folder: Path) -> Path:
    """A folder whose model has weights of its own: none is lent on, nor lent in a circle. Raises ModelError."""
    if weights_of(files.config(folder)):
        raise ModelError(f"{folder} has no weights of its own that another model could use")
    return folder


def owner_of_weights(id: bytes) -> Model:
    """The model with this id, whose weights another one uses. Raises ModelMismatchError, ModelError."""
    if (folder := _folder_of(id)) is not None:
        _with_weights(folder)
    return by_id(id, [])


def by_id(id: bytes, extra: Sequence[Model]) -> Model:
    """The model a frame names. `extra` are those the user gave, and come first. Others are hashed, not opened.

    Raises ModelMismatchError."""
    for model in extra:
        if model.id == id:
            return model
    if (folder := _folder_of(id)) is not None:
        return _open(folder)
    have = (
        f"you gave {', '.join(f'{m.name} ({m.id.hex()})' for m in extra)}" if extra else "no shipped model is that one"
    )
    raise ModelMismatchError(
        f"made with model {id.hex()}, which is not here ({have}); pass its directory with -m, or decode with the tokpress "
        "that made it"
    )


def load_folder(folder: str | os.PathLike) -> Model:
    """Open a model directory, whether opened before or not. Raises ModelError, TokenizerError or UnknownComponentError, naming the
    file that is wrong."""
    return open_folder(folder, owner_of_weights)


def model_bytes(model: Model) -> int:
    """What the files that make up the identity take on disk, and those of the models whose weights it uses. Raises ModelError where
    one of these is not here."""
    import tempfile  # slow to import, and rarely needed

    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model", card="")
        own = sum(f.stat().st_size for f in (Path(place) / "model").iterdir())
    try:
        return own + sum(model_bytes(owner_of_weights(bytes.fromhex(id))) for id in model.weights_of)
    except ModelMismatchError as error:
        raise ModelError(f"{model.name} uses the weights of a model that is not here: {error}") from None
