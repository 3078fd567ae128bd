"""Components from elsewhere. Importing a module that calls `register_prior` is all that is needed.

Installed packages are found by themselves if they name such a module in the entry point group:

    [project.entry-points."tokpress.plugins"]
    mine = "my_package.my_prior"
"""

import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import TokpressError

GROUP = "tokpress.plugins"


def load_plugins() -> None:
    """Import what installed packages offer. Importing twice does no harm."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise TokpressError(f"the plugin {point.name} = {point.value} cannot be imported: {error}") from error


def load_module(name: str) -> None:
    """Import a module by its name (package.module), or a file by its path (prior.py)."""
    try:
        if not name.endswith(".py"):
            importlib.import_module(name)
            return
        path = Path(name).resolve()
        known = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        if str(path) in known:
            return
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError("no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except Exception as error:
        raise TokpressError(f"cannot import {name}: {error}; give a module or a .py file") from error
