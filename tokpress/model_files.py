"""All reading of model directories goes through `read`.

A model directory may come from anyone. Only regular files of a bounded size are read (a pipe would wait for ever, a link to
/dev/zero fills all memory), and what is in them is checked before anything is allocated for it.
"""

import json
import math
import os
import stat
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ModelError

if TYPE_CHECKING:
    import numpy as np

CONFIG, TOKENIZER, TOKENIZER_WEIGHTS, WEIGHTS = (
    "config.json",
    "tokenizer.json",
    "tokenizer.safetensors",
    "model.safetensors",
)
CARD, CURVE = "README.md", "training_curve.json"
#: bytes of each file, at most
MOST_BYTES = {
    CONFIG: 1 << 20,
    TOKENIZER: 1 << 26,
    TOKENIZER_WEIGHTS: 1 << 30,
    WEIGHTS: 1 << 31,
    CARD: 1 << 20,
    CURVE: 1 << 24,
}
#: JSON values inside each other
MOST_DEPTH = 64
#: dtypes of safetensors files: the integers and float32
DTYPES = {
    "I8": "i1",
    "U8": "u1",
    "I16": "<i2",
    "U16": "<u2",
    "I32": "<i4",
    "U32": "<u4",
    "I64": "<i8",
    "U64": "<u8",
    "F32": "<f4",
}
MOST_HEADER, MOST_SIDES = 1 << 24, 8


def read(path: Path, most: int | None = None) -> bytes | None:
    """The bytes of a file, or None if it does not exist. most: size limit for files not named in MOST_BYTES.

    Raises ModelError where it is no regular file, is larger than its kind may be, or cannot be read."""
    most = MOST_BYTES[path.name] if most is None else most
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: that may do something to a device
            raise ModelError(f"{path} is no regular file; a model directory holds nothing else")
        flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
        with open(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{path} is no regular file; a model directory holds nothing else")
            # what a read asks for is allocated: no more than the file has, and one to see whether it grows
            data = file.read(status.st_size + 1) if status.st_size <= most else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if data is None:
        raise ModelError(f"{path} has more than {most:,} bytes, the most that this file may have")
    if len(data) != status.st_size:
        raise ModelError(f"{path} changed while it was read: try again")
    return data


def parse(data: bytes, where: object) -> Any:
    """The JSON value that these bytes spell. Raises ModelError where they do not, or where its numbers are not finite."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_number, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON: {error}") from None
    layer = [value]
    for _ in range(MOST_DEPTH):
        layer = [inner for outer in layer for inner in _inside(outer)]
    if layer:
        raise ModelError(f"{where} holds values more than {MOST_DEPTH} levels deep")
    return value


def config(folder: Path) -> dict[str, Any]:
    """config.json of a model directory. Raises ModelError where there is none, or where it is no JSON object."""
    path = folder / CONFIG
    if (data := read(path)) is None:
        raise ModelError(f"{folder} is no model directory: it has no {CONFIG}")
    if not isinstance(found := parse(data, path), dict):
        raise ModelError(f"{path} is no JSON object")
    return found


def check_settings(
    what: str, config: dict[str, Any], needed: Set[str] = frozenset(), others: Set[str] = frozenset()
) -> None:
    """Raises ModelError where a needed setting is missing, or an unknown one present."""
    if missing := sorted(needed - set(config)):
        raise ModelError(f"{CONFIG}: {what} lacks the setting {missing[0]!r}")
    if strange := sorted(set(config) - needed - others):
        raise ModelError(f"{CONFIG}: {what} has no setting {strange[0]!r}")


def _inside(value: Any) -> Iterator[Any]:
    """The objects and lists in a value: others hold nothing."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (each for each in inner if isinstance(each, (dict, list)))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; other readers may take another one of two values with one name."""
    if len(value := dict(pairs)) < len(pairs):
        raise ValueError("it names something twice")
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


def tensors(data: bytes, where: object) -> "dict[str, np.ndarray]":
    """The arrays of a safetensors file, each writable, aligned and C-contiguous. Raises ModelError where its header does not
    describe its bytes exactly.

        length of the header, 8 bytes · header, a JSON object: name → dtype, shape, data_offsets · data
    """
    import numpy as np  # a small file opens its model without

    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MOST_HEADER, len(data) - 8):
        raise ModelError(f"{where} is damaged: it ends within its header")
    header, body = parse(data[8 : 8 + length], f"{where}, its header,"), memoryview(data)[8 + length :]
    if not isinstance(header, dict):
        raise ModelError(f"{where} is damaged: its header is no JSON object")
    header.pop("__metadata__", None)
    entries = sorted((_entry(name, told, where) for name, told in header.items()), key=lambda entry: entry[1:3])
    out, at = {}, 0
    for name, begin, end, dtype, shape in entries:
        if begin != at or end > len(body):
            raise ModelError(
                f"{where} is damaged: the place of {name} is not behind the tensor before it, or not in the file"
            )
        out[name], at = np.frombuffer(body[begin:end], dtype).reshape(shape).astype(dtype.newbyteorder("=")), end
    if at != len(body):
        raise ModelError(f"{where} is damaged: {len(body) - at:,} bytes belong to no tensor")
    return {name: out[name] for name in header}


def _entry(name: str, told: Any, where: object) -> "tuple[str, int, int, np.dtype, tuple[int, ...]]":
    """(name, begin, end, dtype, shape) of one tensor, whose sizes agree."""
    import numpy as np

    try:
        dtype, shape, (begin, end) = np.dtype(DTYPES[told["dtype"]]), tuple(told["shape"]), told["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{where}: the header does not say what {name} is, or it is none of {', '.join(DTYPES)}"
        ) from None
    numbers = (*shape, begin, end)
    if not all(type(n) is int and 0 <= n <= MOST_BYTES[WEIGHTS] for n in numbers) or len(shape) > MOST_SIDES:
        raise ModelError(f"{where}: the header tells an impossible size of {name}")
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise ModelError(f"{where}: {name} has the shape {shape}, but {end - begin:,} bytes")
    return name, begin, end, dtype, shape
