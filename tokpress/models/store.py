"""Find a model by name, path or id, in the places of this machine (`places`). Nothing here uses the network."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from threading import RLock

from ..arguments import several
from ..errors import ModelError, ModelMismatchError
from . import folder as folder_files
from . import hub, missing, places
from . import identity as shipped
from .folder import stamp
from .loading import load_folder
from .model import Model
from .places import Entry

SHIPPED = shipped.MODELS
#: what `load` takes
ModelName = Model | str | os.PathLike[str]


#: one thread loads a model while others wait for it; a forked child gets a new, free lock
_loading = RLock()


@lru_cache(maxsize=8)
def _cached(folder: Path, stamp: tuple[object, ...], name: str) -> Model:
    return load_folder(folder, name)


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


def _open(entry: Entry) -> Model:
    with _loading:  # reentrant: a component of a plugin may load another model
        return _cached(entry.folder, stamp(entry.folder), entry.name)


def _after_fork() -> None:
    global _loading
    _loading = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def entries() -> Iterator[Entry]:
    """Every model directory of all places that has a name of its own."""
    seen: set[str] = set()
    for entry in places.entries():
        if entry.name not in seen:
            seen.add(entry.name)
            yield entry


def folders() -> dict[str, Path]:
    """Name → directory of every model that has a name."""
    return {entry.name: entry.folder for entry in entries()}


def locate(model: str | os.PathLike[str]) -> Entry:
    """A model, given its name, directory, or repository of the Hub that was fetched. Raises ModelError, TypeError."""
    if not isinstance(model, str | os.PathLike):
        raise TypeError(f"a model is given as a Model, its name or its directory, not {type(model).__name__}")
    if (named := next((each for each in places.entries() if each.name == str(model)), None)) is not None:
        return named
    if os.path.isdir(model):
        return Entry("", Path(model), "directory")
    if (wanted := hub.repository(model)) is None:
        raise ModelError(f"no model called {str(model)!r}, nor a directory; there are: {', '.join(folders())}")
    if (found := hub.cached(wanted)) is None:
        raise ModelError(
            f"no model called {str(model)!r}, nor a directory; to fetch it from the Hugging Face Hub: tokpress models --fetch {model}"
        )
    return Entry(str(found[1]), found[0], "fetched")


def find(model: str | os.PathLike[str]) -> Path:
    """The directory of a model, given its name (`tokpress models` lists them) or directory."""
    return locate(model).folder


def load(model: ModelName) -> Model:
    """Load a model by name or directory, without the network; a Model is returned as it is.

    Raises ModelError if it does not exist or a file of it is damaged."""
    return model if isinstance(model, Model) else _open(locate(model))


def load_all(model: ModelName | None, models: Iterable[ModelName] | None) -> list[Model]:
    """The models that a caller gave in two parameters, `model` first. Raises as `load` does."""
    return [load(name) for name in (*([] if model is None else [model]), *several("models", models or []))]


def _id(entry: Entry) -> bytes | None:
    return entry.id or _identity(entry.folder, stamp(entry.folder))


def ids(extra: Sequence[Model]) -> Iterator[bytes]:
    """The ids of `extra`, the models that the user gave, then of those in all places."""
    yield from (model.id for model in extra)
    for entry in places.entries():
        if (id := _id(entry)) is not None:
            yield id


def _entries_of(id: bytes) -> Iterator[Entry]:
    """The models with this id: from the list of shipped models, then by records and by hashing. No model is opened."""
    if (folder := shipped.folder_of(id)) is not None:
        yield Entry(folder.name, folder, "shipped")
    yield from (entry for entry in places.entries() if _id(entry) == id)


def by_id(id: bytes, extra: Sequence[Model]) -> Model:
    """The model whose id a frame stores: among `extra`, the models that the user gave, else in all places.

    Raises ModelMismatchError."""
    for model in extra:
        if model.id == id:
            return model
    for entry in _entries_of(id):
        if (model := _open(entry)).id == id:  # a record says where the model was
            return model
    have = f"given: {', '.join(f'{m.name} ({m.id.hex()})' for m in extra)}; " if extra else ""
    raise ModelMismatchError(f"made with model {id.hex()}, which is not here ({have}{missing.how_to_get(id)})")


def model_bytes(model: Model) -> int:
    """Bytes of a model on disk, without its card."""
    import tempfile  # slow to import, and rarely needed

    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model", card="")
        return sum(f.stat().st_size for f in (Path(place) / "model").iterdir())
