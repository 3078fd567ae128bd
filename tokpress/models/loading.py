"""Load a model from its directory."""

import os

from . import contents
from .model import Model


def load_folder(folder: str | os.PathLike[str], name: str = "") -> Model:
    """Open a model directory, without the cache of `store.load`. name: by default that of the directory.

    Raises ModelError, TokenizerError or UnknownComponentError; the message names the file that is wrong."""
    return contents.build(folder, Model, name)
