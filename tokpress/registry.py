"""`Registry` finds components by name.

A built-in component is imported on first use, so `--help` and small inputs import little. For an unknown name, the registry imports the
plugins of installed packages: the modules in the entry point group

    [project.entry-points."tokpress.plugins"]
    mine = "my_package.my_prior"

Other files and modules are imported only if the user names them (`--import`). A model directory never causes an import.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import TokpressError, UnknownComponentError

GROUP = "tokpress.plugins"
T = TypeVar("T", bound=type)
#: component outside of tokpress → "the prior 'pairs'"
_OWN: dict[type, str] = {}
#: source file of such components, and of modules that the user names → its name in messages
_FILES: dict[str, str] = {}


class Registry(Generic[T]):
    """Components of one kind, by name. built_in: name → "module:class"."""

    def __init__(self, kind: str, built_in: Mapping[str, str]) -> None:
        self._kind = kind
        self._table: dict[str, str | T] = {**built_in}

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator: make a component usable by name. Raises ValueError for a name that is taken, and for a class whose
        attribute `name` is another one."""

        if not isinstance(name, str):
            raise TypeError(
                f"a {self._kind} is registered by its name: @register_{self._kind}('NAME'), not {type(name).__name__}"
            )

        def add(component: T) -> T:
            if name in self._table:
                raise ValueError(f"the name {name!r} is taken by another {self._kind}: choose another name")
            if getattr(component, "name", None) != name:
                raise ValueError(f"the class {component.__name__} needs the attribute name = {name!r}")
            self._table[name] = component
            _OWN[component] = f"the {self._kind} {name!r}"
            file = _file_of(component)
            _FILES.setdefault(file, os.path.basename(file))
            return component

        return add

    def find(self, name: str) -> T:
        """The component with this name. Raises UnknownComponentError if there is none."""
        if not isinstance(name, str):
            raise TypeError(f"a {self._kind} is given by its name, not {type(name).__name__}")
        if name not in self._table:
            load_plugins()
        entry = self._table.get(name)
        if entry is None:
            raise UnknownComponentError(
                f"no {self._kind} is called {name!r}; there are: {', '.join(self.names())}; a newer tokpress may have it, "
                "and one of your own is found with --import FILE"
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
    from importlib.metadata import entry_points  # a sixth of the time of a small file

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
            path = Path(name).resolve()
            _FILES[str(path)] = name
            _load_file(path)
        else:
            _FILES[importlib.import_module(name).__file__ or ""] = name
    except (Exception, SystemExit) as error:  # also of a script that ends by sys.exit()
        what = blame(error) or f"{name}: {_message(error)}; give a module or a .py file"
        raise TokpressError(f"cannot import {what}") from error


def blame(error: BaseException) -> str:
    """Which component outside of tokpress an exception came from, and its file and line; empty where it came from no such component.

    That is the last frame of the traceback in such a file, or the component that lacks an attribute."""
    if isinstance(error, AttributeError) and (lacking := _component(error.obj)):
        file = _FILES[_file_of(lacking)]
        return (
            f"{file}: {_OWN[lacking]} lacks {error.name!r}: class {lacking.__name__} needs such an attribute or method"
        )
    place, trace = None, error.__traceback__
    while trace:
        if (file := trace.tb_frame.f_code.co_filename) in _FILES:
            place = file, trace.tb_lineno, trace.tb_frame.f_code.co_name
        trace = trace.tb_next
    if place is None:
        return ""
    file, line, function = place
    components = " and ".join(label for component, label in _OWN.items() if _file_of(component) == file)
    owner = f", of {components}" if components else ""
    inside = "" if function == "<module>" else f", in {function}"
    return f"{_FILES[file]}, line {line}{inside}{owner}: {_message(error)}"


def _component(value: Any) -> type | None:
    """The registered class outside of tokpress that a value is or belongs to."""
    kind = value if isinstance(value, type) else type(value)
    return next((base for base in kind.__mro__ if base in _OWN), None)


def _file_of(component: type) -> str:
    return getattr(sys.modules.get(component.__module__), "__file__", None) or component.__module__


def _message(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load_file(path: Path) -> None:
    if str(path) in (getattr(module, "__file__", None) for module in list(sys.modules.values())):
        return
    # a unique name: a file called json.py must not replace the module json
    import hashlib

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
