"""Arrays by name, as in a safetensors file.

The header is read by the standard library. An array becomes a numpy array at its first use by numpy code; the core takes its address.
So a memory-mapped file is read only where it is used, and a small file is coded without numpy.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ModelError
from ..lazy import np
from .files import parse

if TYPE_CHECKING:
    import mmap

#: dtype in a safetensors file → (numpy's name, bytes of a number): integers and float32, the dtypes of models
DTYPES = {
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "I16": ("int16", 2),
    "U16": ("uint16", 2),
    "I32": ("int32", 4),
    "U32": ("uint32", 4),
    "I64": ("int64", 8),
    "U64": ("uint64", 8),
    "F32": ("float32", 4),
}
#: order of dtypes in a file; within one, tensors go by name
WRITTEN = ("uint64", "int64", "float32", "uint32", "int32", "uint16", "int16", "int8", "uint8")
MAX_HEADER, MAX_SIDES, MAX_BYTES = 1 << 24, 8, 1 << 31


class Tensor(NamedTuple):
    """One array: numpy's name of its dtype, its shape, and its data: C-contiguous, little-endian, aligned to a number."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def array(self) -> np.ndarray:
        """A writable view."""
        view: np.ndarray = np.frombuffer(self.data, np.dtype(self.dtype).newbyteorder("<")).reshape(self.shape)
        return view if sys.byteorder == "little" else view.astype(self.dtype)


class MissingTensorError(KeyError):
    """A model file lacks a tensor."""

    def __str__(self) -> str:
        return f"the tensor {self.args[0]!r} is missing"


class Tensors(Mapping[str, "np.ndarray"]):
    """name → numpy array, a view of the file made at its first use. `raw` returns the same without numpy.

    trusted: whether these are the bytes that the package ships, whose values need no check (`shipped.py`)."""

    def __init__(self, raw: dict[str, Tensor], trusted: bool = False) -> None:
        self._raw, self.trusted = raw, trusted
        self._arrays: dict[str, np.ndarray] = {}

    def raw(self, name: str) -> Tensor | None:
        return self._raw.get(name)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            if name not in self._raw:
                raise MissingTensorError(name)
            self._arrays[name] = self._raw[name].array()
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __or__(self, other: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {**self, **other}

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and other processes get arrays of their own."""
        return dict, (dict(self),)

    @property
    def size(self) -> int:
        """Number of values in all tensors."""
        return sum(tensor.size for tensor in self._raw.values())

    def select(self, names: Mapping[str, str]) -> Tensors:
        """Some of the tensors under new names. names: new name → name."""
        return Tensors({new: self._raw[name] for new, name in names.items()}, self.trusted)

    @classmethod
    def side_by_side(cls, parts: Iterable[Tensors]) -> Tensors:
        """The tensors of several, with a number before each name: 0.name, 1.name …"""
        parts = list(parts)
        raw = {f"{k}.{name}": tensor for k, part in enumerate(parts) for name, tensor in part._raw.items()}
        return cls(raw, all(part.trusted for part in parts))


def split(tensors: Mapping[str, np.ndarray], prefix: str) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """(the tensors whose names begin with `prefix`, named without it; the others)"""
    inside = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
    outside = {name: name for name in tensors if not name.startswith(prefix)}
    if isinstance(tensors, Tensors):
        return tensors.select(inside), tensors.select(outside)
    return {new: tensors[name] for new, name in inside.items()}, {name: tensors[name] for name in outside}


def buffers(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """name → contiguous buffer, for the core; without numpy where the tensors come from a file."""
    if isinstance(tensors, Tensors):
        return {name: tensor.data for name, tensor in tensors._raw.items()}
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def read(data: bytes | bytearray | mmap.mmap, where: object, trusted: bool = False) -> Tensors:
    """The arrays of a safetensors file. Raises ModelError where its header does not describe its bytes exactly.

        length of the header, 8 bytes · header, a JSON object: name → dtype, shape, data_offsets · data

    data: bytes are copied; a bytearray or a private map is used as it is."""
    file = memoryview(bytearray(data) if isinstance(data, bytes) else data)
    length = int.from_bytes(file[:8], "little")
    if len(file) < 8 or length > min(MAX_HEADER, len(file) - 8):
        raise ModelError(f"{where} is damaged: it ends within its header")
    header, body = parse(bytes(file[8 : 8 + length]), f"{where}, its header,"), file[8 + length :]
    if not isinstance(header, dict):
        raise ModelError(f"{where} is damaged: its header is no JSON object")
    header.pop("__metadata__", None)
    entries = sorted((_entry(name, value, where) for name, value in header.items()), key=lambda entry: entry[1:3])
    raw, at = {}, 0
    for name, begin, end, (dtype, width), shape in entries:
        if begin != at or end > len(body):
            raise ModelError(
                f"{where} is damaged: the place of {name} is not behind the tensor before it, or not in the file"
            )
        aligned = (8 + length + begin) % width == 0
        raw[name] = Tensor(dtype, shape, body[begin:end] if aligned else memoryview(bytearray(body[begin:end])))
        at = end
    if at != len(body):
        raise ModelError(f"{where} is damaged: {len(body) - at:,} bytes belong to no tensor")
    return Tensors({name: raw[name] for name in header}, trusted)


def _entry(name: str, value: Any, where: object) -> tuple[str, int, int, tuple[str, int], tuple[int, ...]]:
    """(name, begin, end, (dtype, bytes of a number), shape) of one tensor. Raises ModelError where its sizes do not agree."""
    try:
        dtype, shape, (begin, end) = DTYPES[value["dtype"]], tuple(value["shape"]), value["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{where}: the header does not describe {name}, or its dtype is none of {', '.join(DTYPES)}"
        ) from None
    numbers = (*shape, begin, end)
    if not all(type(n) is int and 0 <= n <= MAX_BYTES for n in numbers) or len(shape) > MAX_SIDES:
        raise ModelError(f"{where}: the header has an impossible size of {name}")
    if math.prod(shape) * dtype[1] != end - begin:
        raise ModelError(f"{where}: {name} has the shape {shape}, but {end - begin:,} bytes")
    return name, begin, end, dtype, shape


def write(tensors: Mapping[str, np.ndarray], path: Path) -> None:
    """Write a safetensors file in place of the one before, which stays where that fails. Raises OSError with the name of the file."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(packed(tensors))
        os.replace(new, path)
    except OSError as error:  # that of a write has no name
        new.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def packed(tensors: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file. The library of that name writes the same bytes today; the id of a model is a hash of them, so a later release of
    the library must not change them."""
    written = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    order = {numpy_name: place for place, numpy_name in enumerate(WRITTEN)}
    names, header, at = sorted(written, key=lambda name: (order[written[name].dtype.name], name)), {}, 0
    for name in names:
        value = written[name]
        dtype = next(short for short, (long, _) in DTYPES.items() if long == value.dtype.name)
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": (at, at + value.nbytes)}
        at += value.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    little = (written[name].astype(written[name].dtype.newbyteorder("<"), copy=False) for name in names)
    return len(text).to_bytes(8, "little") + text + b"".join(value.tobytes() for value in little)
