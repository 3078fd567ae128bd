"""The directory of a model: which files it has, what makes up its identity, and how it is put in its place (`model.py` says what is in
them)."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ModelError

FORMAT = 1
#: the arithmetic of tokpress.exact; a change that alters one bit of one pmf makes a new one
EXACT_PROFILE = 1
#: the files that make up the identity, beside config.json
PARTS = ("tokenizer.json", "model.safetensors")
#: a part where it is there: of tokenizers that are trained
TOKENIZER_PART = "tokenizer.safetensors"
#: what tells of it, and is not needed
ABOUT = ("README.md", "training_curve.json")

TOKENIZER_ONLY = "{0} is a tokenizer; train a prior for it: tokpress train prior --tokenizer {0} -o MODEL CORPUS"


def identity(folder: Path) -> bytes:
    """The id of the model in a directory: 4 bytes. Raises OSError, ValueError where there is none."""
    config = json.loads((folder / "config.json").read_text())
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for part in (*PARTS, *[TOKENIZER_PART] * (folder / TOKENIZER_PART).is_file()):
        path = folder / part
        data = path.read_bytes() if path.is_file() else b""
        digest.update(part.encode() + len(data).to_bytes(8, "little") + data)
    return digest.digest()[:4]


def needed(folder: Path) -> list[Path]:
    """The files in a model's directory that decoding needs."""
    return [path for part in ("config.json", *PARTS, TOKENIZER_PART) if (path := folder / part).is_file()]


def tokenizer_only(folder: Path) -> bool:
    """Whether this is what `train tokenizer` writes: a model directory without a prior."""
    try:
        return lacks_prior(json.loads((folder / "config.json").read_text()))
    except (OSError, ValueError, RecursionError):
        return False


def lacks_prior(config: Any) -> bool:
    """Whether this is the config.json of a tokenizer by itself."""
    return isinstance(config, dict) and "tokenizer" in config and "prior" not in config


def tensors(folder: Path) -> dict[str, np.ndarray]:
    """What the prior has learned: {} where there is nothing. Raises ModelError where the file is damaged."""
    path = folder / "model.safetensors"
    if not path.is_file():
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}") from None


def place(target: Path, write: Callable[[Path], None]) -> None:
    """What `write` writes into a directory, first a temporary one beside `target`, then renamed into its place.

    Raises ModelError where something else stands there."""
    if target.exists() and not (target / "config.json").is_file() and any(target.iterdir()):
        raise ModelError(f"{target} exists and is no model directory; choose another place")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new.chmod(0o755)
    try:
        write(new)
        if target.exists():
            move(new, target)
        else:
            new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def move(made: Path, target: Path) -> None:
    """A finished model into a directory that may have held another one; config.json last, which makes it one."""
    target.mkdir(parents=True, exist_ok=True)
    for stale in (*PARTS, TOKENIZER_PART, *ABOUT):
        if not (made / stale).exists():
            (target / stale).unlink(missing_ok=True)
    for item in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
        item.replace(target / item.name)
