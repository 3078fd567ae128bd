"""Arrays by name in a safetensors file."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write(tensors: Mapping[str, np.ndarray], path: Path) -> None:
    """The whole file or, raising OSError that names it, what was there before."""
    from safetensors.numpy import save

    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(save({name: np.ascontiguousarray(value) for name, value in tensors.items()}))
        os.replace(new, path)
    except OSError as error:  # one of a write names nothing
        new.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
