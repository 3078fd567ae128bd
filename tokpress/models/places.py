"""Places where models are looked for, in this order:

shipped             the models of the package, with a list of their ids (`identity`)
$TOKPRESS_MODELS    folders of model directories, separated as in $PATH
hub                 what was fetched from the Hugging Face Hub, by its record (`hub`)
packages            data packages: installed distributions with an entry point in the group

    [project.entry-points."tokpress.models"]
    mine = "my_models"              # a top-level package: a folder of model directories

Nothing is fetched, and no package is imported. Places are searched one after the other, so a shipped model costs no scan of the packages.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from . import hub
from . import identity as shipped

GROUP = "tokpress.models"
VARIABLE = "TOKPRESS_MODELS"


class Entry(NamedTuple):
    """A model directory. origin: the place, for people. id: where it is listed or recorded; opening the model verifies it."""

    name: str
    folder: Path
    origin: str
    id: bytes | None = None


def entries() -> Iterator[Entry]:
    """Every model directory of all places. A name may come twice: the first one has it."""
    yield from _within(shipped.MODELS, "shipped")
    for place in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        yield from _within(Path(place), f"${VARIABLE}")
    for record in hub.records():
        if (record.folder / "config.json").is_file():
            yield Entry(record.repository, record.folder, "fetched", record.id)
    for package, folder in _packages(tuple((path, _changed(path)) for path in sys.path)):
        listed = shipped.ids(folder)
        for entry in _within(folder, package):
            yield entry._replace(id=listed.get(entry.name))


def _within(place: Path, origin: str) -> Iterator[Entry]:
    return (Entry(path.parent.name, path.parent, origin) for path in sorted(place.glob("*/config.json")))


def _changed(path: str) -> int:
    """When something was last installed there."""
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _packages(search: tuple[tuple[str, int], ...]) -> tuple[tuple[str, Path], ...]:
    """(name and version, folder) of each data package on a search path of modules, with the times of its folders."""
    from importlib.metadata import entry_points  # slow, and needed by few
    from importlib.util import find_spec

    found = []
    for point in entry_points(group=GROUP):
        name = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
        spec = find_spec(point.value) if point.value.isidentifier() else None
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places:
            warnings.warn(f"{name}: {point.value!r} is no package with models, skipped: reinstall it", stacklevel=3)
        found += [(name, Path(place)) for place in places]
    return tuple(found)
