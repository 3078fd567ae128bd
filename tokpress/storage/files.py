"""Read the files of a model directory, which may come from anyone.

Only regular files of a bounded size are read: a pipe would block, and a link to /dev/zero would fill the memory. Their contents are
checked before memory is allocated for them.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import stat
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ..errors import ModelError

T = TypeVar("T")

CONFIG, TOKENIZER, TOKENIZER_WEIGHTS, WEIGHTS = (
    "config.json",
    "tokenizer.json",
    "tokenizer.safetensors",
    "model.safetensors",
)
CARD, CURVE, SHEET = "README.md", "training_curve.json", "reconstructions.png"
#: most bytes of each file
MAX_BYTES = {
    CONFIG: 1 << 20,
    TOKENIZER: 1 << 26,
    TOKENIZER_WEIGHTS: 1 << 30,
    WEIGHTS: 1 << 31,
    CARD: 1 << 20,
    CURVE: 1 << 24,
}
#: most levels of nested JSON values
MAX_DEPTH = 64


def read(path: Path, most: int | None = None) -> bytes | None:
    """The bytes of a file; None if it does not exist. most: size limit, for files that are not in MAX_BYTES.

    Raises ModelError where it is no regular file, is too large, or cannot be read."""
    # a read allocates what it asks for: no more than the size of the file, and a byte to see whether it grows
    result = _opened(path, most, lambda file, size: file.read(size + 1))
    if result is not None and len(result[0]) != result[1]:
        raise ModelError(f"{path} changed while it was read: try again")
    return None if result is None else result[0]


def mapped(path: Path) -> mmap.mmap:
    """A private map of a file: pages are read at their first use, and changes stay in this process.

    Only for files that do not change, those of the package: if a mapped file is truncated, a signal kills the process. Raises
    ModelError as `read` does, and where the file does not exist or is empty."""
    result = _opened(path, None, lambda file, size: mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY))
    if result is None:
        raise ModelError(f"{path} cannot be read: there is no such file")
    return result[0]


def _opened(path: Path, most: int | None, take: Callable[[BinaryIO, int], T]) -> tuple[T, int] | None:
    """(`take(file, its size)`, its size) of a regular file, or None where there is none. Raises ModelError."""
    most = MAX_BYTES[path.name] if most is None else most
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before opening it: that may have an effect on a device
            raise ModelError(f"{path} is no regular file; a model directory holds nothing else")
        flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
        with open(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{path} is no regular file; a model directory holds nothing else")
            if status.st_size <= most:
                return take(file, status.st_size), status.st_size
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    raise ModelError(f"{path} has more than {most:,} bytes, the most that this file may have")


def parse(data: bytes, where: object) -> Any:
    """The value of a JSON text. Raises ModelError where it is not JSON, has infinite numbers, or is nested too deeply."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_number, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON: {error}") from None
    layer = [value]
    for _ in range(MAX_DEPTH):
        layer = [inner for outer in layer for inner in _inside(outer)]
    if layer:
        raise ModelError(f"{where} holds values more than {MAX_DEPTH} levels deep")
    return value


def config(folder: Path) -> dict[str, Any]:
    """config.json of a model directory. Raises ModelError where there is none, or where it is no JSON object."""
    path = folder / CONFIG
    if (data := read(path)) is None:
        raise ModelError(f"{folder} is no model directory: it has no {CONFIG}")
    if not isinstance(settings := parse(data, path), dict):
        raise ModelError(f"{path} is no JSON object")
    return settings


def check_settings(
    what: str, config: dict[str, Any], needed: Set[str] = frozenset(), others: Set[str] = frozenset()
) -> None:
    """Raises ModelError where a needed setting is missing, or an unknown one is present. others: the optional ones."""
    if missing := sorted(needed - set(config)):
        raise ModelError(f"{CONFIG}: {what} lacks the setting {missing[0]!r}")
    if unknown := sorted(set(config) - needed - others):
        raise ModelError(f"{CONFIG}: {what} has no setting {unknown[0]!r}; a newer tokpress may have it")


def _inside(value: Any) -> Iterator[Any]:
    """The objects and lists directly in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in inner if isinstance(item, (dict, list)))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Raises ValueError where a name occurs twice: other readers may take the other value."""
    if len(value := dict(pairs)) < len(pairs):
        raise ValueError("it names something twice")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return value
