"""Names → components: `Registry`. Built-in ones are imported on first use, so that `--help` and small inputs import only what they
touch. A name that nobody has registered is looked for in installed packages, if they offer a module in the entry point group:

    [project.entry-points."tokpress.plugins"]
    mine = "my_package.my_prior"

A file or module is imported where the user names it (`--import`), never because a model directory does.
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
    """Components of one kind by name. built_in: name → "module:class"."""

    def __init__(self, kind: str, built_in: Mapping[str, str]) -> None:
        self._kind = kind
        self._table: dict[str, str | T] = {**built_in}

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator: make a component usable by name. Raises ValueError for a name that is taken."""

        def add(component: T) -> T:
            if name in self._table:
                raise ValueError(f"a {self._kind} named {name!r} is registered already")
            self._table[name] = component
            return component

        return add

    def find(self, name: str) -> T:
        """The component with this name. Raises UnknownComponentError."""
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
    """Import what installed packages offer. Importing twice does no harm."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            name = f"the plugin {point.name} = {point.value}"
            raise TokpressError(f"{name} cannot be imported: {_message(error)}; repair or uninstall it") from error


def load_module(name: str) -> None:
    """Import a module by its name (package.module), or a file by its path (prior.py), once."""
    try:
        if name.endswith(".py"):
            _load_file(Path(name).resolve())
        else:
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # also of a script that ends by sys.exit()
        raise TokpressError(f"cannot import {name}: {_message(error)}; give a module or a .py file") from error


def _message(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load_file(path: Path) -> None:
    if str(path) in (getattr(module, "__file__", None) for module in list(sys.modules.values())):
        return
    # a name of its own: a file called json.py must not become the json of everyone else
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
