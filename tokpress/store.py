"""Where models are found: shipped with the package, in folders named by $TOKPRESS_MODELS, or by path."""

import os
from functools import lru_cache
from pathlib import Path

from .errors import ModelError, ModelMismatchError
from .model import Model, load_folder

SHIPPED = Path(__file__).parent / "models"


@lru_cache(maxsize=8)
def _cached(folder: Path, stamp: float) -> Model:
    return load_folder(folder)


def _open(folder: Path) -> Model:
    config = folder / "config.json"
    return _cached(folder, config.stat().st_mtime if config.is_file() else 0.0)


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
    if named is None and not Path(model).is_dir():
        raise ModelError(f"no model called {str(model)!r}, nor a directory; there are: {', '.join(folders())}")
    return named or Path(model)


def load(model: "str | os.PathLike | Model") -> Model:
    """A model by name or directory, or as it is."""
    return model if isinstance(model, Model) else _open(find(model))


def by_id(id: bytes, extra: list[Model]) -> Model:
    """The model a frame names. `extra` are those the user gave, and come first."""
    for model in extra:
        if model.id == id:
            return model
    for folder in folders().values():
        model = _open(folder)
        if model.id == id:
            return model
    have = (
        f"you gave {', '.join(f'{m.name} ({m.id.hex()})' for m in extra)}" if extra else "no shipped model is that one"
    )
    raise ModelMismatchError(f"made with model {id.hex()}, which is not here ({have}); pass its directory with -m")
