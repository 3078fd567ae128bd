"""Find a model: by name among the shipped ones and in the folders of $TOKPRESS_MODELS, by path, or by id."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import RLock

from ..errors import ModelError, ModelMismatchError
from . import folder as folder_files
from . import identity as shipped
from .folder import stamp
from .loading import load_folder
from .model import Model

SHIPPED = shipped.MODELS
#: what `load` takes
ModelName = Model | str | os.PathLike[str]


#: one thread loads a model while others wait for it; a forked child gets a new, free lock
_loading = RLock()


@lru_cache(maxsize=8)
def _cached(folder: Path, stamp: tuple[object, ...]) -> Model:
    return load_folder(folder)


def identity(folder: Path) -> bytes:
    """The id of the model in a directory: from the list of shipped models, else a hash of its files. Raises ModelError."""
    return shipped.identity(folder) or folder_files.identity(folder)


@lru_cache(maxsize=256)
def _identity(folder: Path, stamp: tuple[object, ...]) -> bytes | None:
    """The id of the model in a folder; None, with a warning, if the folder is damaged: other folders may be sound."""
    try:
        return identity(folder)
    except ModelError as error:
        warnings.warn(f"{folder} is not a valid model directory, skipped: {error}", stacklevel=3)
        return None


def _open(folder: Path) -> Model:
    with _loading:  # reentrant: a component of a plugin may load another model
        return _cached(folder, stamp(folder))


def _after_fork() -> None:
    global _loading
    _loading = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def folders() -> dict[str, Path]:
    """Name → directory of every model that has a name: the shipped models and those of $TOKPRESS_MODELS."""
    by_name = {p.parent.name: p.parent for p in sorted(SHIPPED.glob("*/config.json"))}
    for place in filter(None, os.environ.get("TOKPRESS_MODELS", "").split(os.pathsep)):
        for p in sorted(Path(place).glob("*/config.json")):
            by_name.setdefault(p.parent.name, p.parent)
    return by_name


def find(model: str | os.PathLike[str]) -> Path:
    """The directory of a model, given its name (`tokpress models` lists them) or directory."""
    named = folders().get(str(model))
    if named is None and not os.path.isdir(model):
        raise ModelError(f"no model called {str(model)!r}, nor a directory; there are: {', '.join(folders())}")
    return named or Path(model)


def load(model: ModelName) -> Model:
    """Load a model by name (`tokpress models` lists them) or directory; a Model is returned as it is.

    Raises ModelError if it does not exist or a file of it is damaged.

    >>> import tokpress
    >>> model = tokpress.load("context-mixing")
    >>> model.name, model.tokenizer.name, model.prior.name
    ('context-mixing', 'bytes', 'context_mixing')
    >>> tokpress.load("no such model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tokpress.errors.ModelError: no model called 'no such model', nor a directory; there are: context-mixing, context-mixing-2d, ...
    """
    return model if isinstance(model, Model) else _open(find(model))


def load_all(model: ModelName | None, models: Iterable[ModelName] | None) -> list[Model]:
    """The models that a caller gave in two parameters, `model` first. Raises as `load` does."""
    return [load(name) for name in (*([] if model is None else [model]), *(models or []))]


def _folder_of(id: bytes) -> Path | None:
    """The directory of the model with this id: from the list of shipped models, else by hashing. No model is opened."""
    if (folder := shipped.folder_of(id)) is not None:
        return folder
    return next((folder for folder in folders().values() if _identity(folder, stamp(folder)) == id), None)


def ids(extra: Sequence[Model]) -> Iterator[bytes]:
    """The ids of `extra`, the models that the user gave, then of those with a name."""
    yield from (model.id for model in extra)
    for folder in folders().values():
        if (id := _identity(folder, stamp(folder))) is not None:
            yield id


def by_id(id: bytes, extra: Sequence[Model]) -> Model:
    """The model whose id a frame stores: among `extra`, the models that the user gave, else among those with a name.

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


def model_bytes(model: Model) -> int:
    """Bytes of a model on disk, without its card."""
    import tempfile  # slow to import, and rarely needed

    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model", card="")
        return sum(f.stat().st_size for f in (Path(place) / "model").iterdir())
