"""A model directory: its files, its id, and how it is written. `model.py` describes the contents of the files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..storage import files

FORMAT = 1
#: version of the arithmetic of tokpress.exact; a change that alters one bit of one pmf needs a new version
EXACT_PROFILE = 1
#: the files from which the id is computed, beside config.json
PARTS = (files.TOKENIZER, files.WEIGHTS)
#: one more such file, which only trained tokenizers have
TOKENIZER_PART = files.TOKENIZER_WEIGHTS
#: files about the model, which decoding does not need
ABOUT = (files.CARD, files.CURVE, files.SHEET)

TOKENIZER_ONLY = "{0} is a tokenizer; train a prior for it: tokpress train prior --tokenizer {0} -o MODEL CORPUS"


def parts(folder: Path) -> dict[str, bytes | None]:
    """Name → bytes of the files from which the id is computed, beside config.json; None for a missing file. Raises ModelError."""
    return {part: files.read(folder / part) for part in (*PARTS, TOKENIZER_PART)}


def identity_of(config: dict[str, Any], parts: dict[str, bytes | None]) -> bytes:
    """The id of a model, 4 bytes, from its config and `parts`."""
    import hashlib  # slow to import, and rarely needed

    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for part, data in parts.items():
        if data is not None or part != TOKENIZER_PART:
            digest.update(part.encode() + len(data or b"").to_bytes(8, "little"))
            digest.update(data or b"")
    return digest.digest()[:4]


def identity(folder: Path) -> bytes:
    """The id of the model in a directory. Raises ModelError where there is none."""
    return identity_of(files.config(folder), parts(folder))


def stamp(folder: Path) -> tuple[object, ...]:
    """Inode, size and modification time of each file of a model directory. A cached model is valid while they are equal."""
    files_seen: list[object] = []
    for name in (files.CONFIG, *PARTS, TOKENIZER_PART, files.CARD):
        try:
            status = (folder / name).stat()
        except (OSError, ValueError):
            files_seen.append(None)
        else:
            files_seen.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(files_seen)


def needed(folder: Path) -> list[Path]:
    """The files of a model directory that decoding needs."""
    return [path for part in (files.CONFIG, *PARTS, TOKENIZER_PART) if (path := folder / part).is_file()]


def tokenizer_only(folder: Path) -> bool:
    """Whether this is the output of `train tokenizer`: a model directory without a prior."""
    try:
        return lacks_prior(files.config(folder))
    except ModelError:
        return False


def lacks_prior(config: dict[str, Any]) -> bool:
    """Whether this is the config.json of a tokenizer without a prior."""
    return "tokenizer" in config and "prior" not in config


def check_target(target: Path) -> None:
    """Raises ModelError where a model cannot be written to `target`: it exists, is not empty, and is not a model directory."""
    if target.exists() and not (target.is_dir() and ((target / files.CONFIG).is_file() or not any(target.iterdir()))):
        raise ModelError(f"{target} exists and is no model directory: choose another place")


def place(target: Path, write: Callable[[Path], None]) -> None:
    """Write a model directory at once: `write` fills a temporary directory beside `target`, which is then renamed.

    Raises ModelError if `target` exists and is not a model directory."""
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    import shutil  # slow to import, and rarely needed
    import tempfile

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


def move(source: Path, target: Path) -> None:
    """Move the files of a finished model to `target`, which may hold another model. config.json comes last: it makes the model valid."""
    target.mkdir(parents=True, exist_ok=True)
    for stale in (*PARTS, TOKENIZER_PART, *ABOUT):
        if not (source / stale).exists():
            (target / stale).unlink(missing_ok=True)
    for item in sorted(source.iterdir(), key=lambda path: path.name == "config.json"):
        item.replace(target / item.name)
