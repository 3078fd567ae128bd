"""`Registry` finds components by name.

A built-in component is imported on first use, so `--help` and small inputs import little. For an unknown name, the registry imports the
plugins of installed packages: the modules in the entry point group

    [project.entry-points."tokpress.plugins"]
    mine = "my_package.my_prior"

Other files and modules are imported only if the user names them (`--import`). A model directory never causes an import.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Generic, TypeVar

from .errors import TokpressError, UnknownComponentError

GROUP = "tokpress.plugins"
T = TypeVar("T", bound=type)


class Registry(Generic[T]):
    """Components of one kind, by name. built_in: name → "module:class"."""

    def __init__(self, kind: str, built_in: Mapping[str, str]) -> None:
        self._kind = kind
        self._table: dict[str, str | T] = {**built_in}

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator that registers a component. Raises ValueError if the name is taken."""

        def add(component: T) -> T:
            if name in self._table:
                raise ValueError(f"a {self._kind} named {name!r} is registered already")
            self._table[name] = component
            return component

        return add

    def find(self, name: str) -> T:
        """The component with this name. Raises UnknownComponentError if there is none."""
        if name not in self._table:
            load_plugins()
        entry = self._table.get(name)
        if entry is None:
            raise UnknownComponentError(
                f"no {self._kind} is called {name!r}; there are: {', '.join(self.names())}; one of your own is found with "
                "--import FILE"
            )
        if isinstance(entry, str):
            module, cls = entry.split(":")
            component: T = getattr(importlib.import_module(module), cls)
            return component
        return entry

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._table)


def load_plugins() -> None:
    """Import the plugins of installed packages. A second call does no harm."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            name = f"the plugin {point.name} = {point.value}"
            raise TokpressError(f"{name} cannot be imported: {_message(error)}; repair or uninstall it") from error


def load_module(name: str) -> None:
    """Import a module by name (package.module) or a file by path (prior.py), once."""
    try:
        if name.endswith(".py"):
            _load_file(Path(name).resolve())
        else:
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a script may call sys.exit()
        raise TokpressError(f"cannot import {name}: {_message(error)}; give a module or a .py file") from error


def _message(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load_file(path: Path) -> None:
    if str(path) in (getattr(module, "__file__", None) for module in list(sys.modules.values())):
        return
    # a unique name: a file called json.py must not replace the module json
    name = f"tokpress_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
