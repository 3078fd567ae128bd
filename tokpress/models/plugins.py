"""Components from elsewhere. Importing a module that calls `register_prior` is all that is needed.

A file or module is imported where the user names it (`--import`), never because a model directory does.
Installed packages are asked for a name nobody else has, if they offer a module in the entry point group:

    [project.entry-points."tokpress.models.plugins"]
    mine = "my_package.my_prior"
"""

import hashlib
import importlib
import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import TokpressError

GROUP = "tokpress.models.plugins"


def load_plugins() -> None:
    """Import what installed packages offer. Importing twice does no harm."""
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            name = f"the plugin {point.name} = {point.value}"
            raise TokpressError(f"{name} cannot be imported: {_said(error)}; repair or uninstall it") from error


def load_module(name: str) -> None:
    """Import a module by its name (package.module), or a file by its path (prior.py), once."""
    try:
        if name.endswith(".py"):
            _load_file(Path(name).resolve())
        else:
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # also of a script that ends by sys.exit()
        raise TokpressError(f"cannot import {name}: {_said(error)}; give a module or a .py file") from error


def _said(error: BaseException) -> str:
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
