"""Arrays by name, as a safetensors file holds them.

`Tensors` reads the header with the standard library. An array becomes numpy's when numpy code asks for it; the core is given its
address. So a file that is memory-mapped is read only where it is used, and a small file is coded without numpy.
"""

from __future__ import annotations

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

#: dtypes of safetensors files that models may have, the integers and float32: numpy's name, bytes of a number
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
MAX_HEADER, MAX_SIDES, MAX_BYTES = 1 << 24, 8, 1 << 31


class Tensor(NamedTuple):
    """One array: numpy's name of its dtype, its shape, and its bytes, C-contiguous, little-endian, aligned to its numbers."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    def array(self) -> np.ndarray:
        """A view, writable."""
        found = np.frombuffer(self.data, np.dtype(self.dtype).newbyteorder("<")).reshape(self.shape)
        return found if sys.byteorder == "little" else found.astype(self.dtype)


class Tensors(Mapping[str, "np.ndarray"]):
    """name → numpy array, a view of the file's bytes, made when it is asked for. `raw` gives the same without numpy.

    trusted: whether these are the bytes that the package ships, so that their values need no check (`shipped.py`)."""

    def __init__(self, raw: dict[str, Tensor], trusted: bool = False) -> None:
        self._raw, self.trusted = raw, trusted
        self._arrays: dict[str, np.ndarray] = {}

    def raw(self, name: str) -> Tensor | None:
        return self._raw.get(name)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
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
        """Copies, and other processes, get arrays of their own."""
        return dict, (dict(self),)

    @property
    def size(self) -> int:
        """Numbers in all."""
        return sum(tensor.size for tensor in self._raw.values())

    def part(self, prefix: str) -> Tensors:
        """Those whose names begin so, without that beginning."""
        return Tensors({n.removeprefix(prefix): t for n, t in self._raw.items() if n.startswith(prefix)}, self.trusted)

    @classmethod
    def side_by_side(cls, parts: Iterable[Tensors]) -> Tensors:
        """All of several, told apart by a number in front: 0.name, 1.name …"""
        parts = list(parts)
        raw = {f"{k}.{name}": tensor for k, part in enumerate(parts) for name, tensor in part._raw.items()}
        return cls(raw, all(part.trusted for part in parts))


def buffers(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """name → contiguous buffer, for the core; without numpy where the tensors come from a file."""
    if isinstance(tensors, Tensors):
        return {name: tensor.data for name, tensor in tensors._raw.items()}
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def read(data: bytes | bytearray | mmap.mmap, where: object, trusted: bool = False) -> Tensors:
    """The arrays of a safetensors file. Raises ModelError where its header does not describe its bytes exactly.

        length of the header, 8 bytes · header, a JSON object: name → dtype, shape, data_offsets · data

    data: bytes are copied; what can be written to (a bytearray, a private map) is used as it is."""
    whole = memoryview(bytearray(data) if isinstance(data, bytes) else data)
    length = int.from_bytes(whole[:8], "little")
    if len(whole) < 8 or length > min(MAX_HEADER, len(whole) - 8):
        raise ModelError(f"{where} is damaged: it ends within its header")
    header, body = parse(bytes(whole[8 : 8 + length]), f"{where}, its header,"), whole[8 + length :]
    if not isinstance(header, dict):
        raise ModelError(f"{where} is damaged: its header is no JSON object")
    header.pop("__metadata__", None)
    entries = sorted((_entry(name, told, where) for name, told in header.items()), key=lambda entry: entry[1:3])
    raw, at = {}, 0
    for name, begin, end, (dtype, width), shape in entries:
        if begin != at or end > len(body):
            raise ModelError(
                f"{where} is damaged: the place of {name} is not behind the tensor before it, or not in the file"
            )
        aligned = (8 + length + begin) % width == 0
        raw[name], at = (
            Tensor(dtype, shape, body[begin:end] if aligned else memoryview(bytearray(body[begin:end]))),
            end,
        )
    if at != len(body):
        raise ModelError(f"{where} is damaged: {len(body) - at:,} bytes belong to no tensor")
    return Tensors({name: raw[name] for name in header}, trusted)


def _entry(name: str, told: Any, where: object) -> tuple[str, int, int, tuple[str, int], tuple[int, ...]]:
    """(name, begin, end, (dtype, bytes of a number), shape) of one tensor, whose sizes agree."""
    try:
        dtype, shape, (begin, end) = DTYPES[told["dtype"]], tuple(told["shape"]), told["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{where}: the header does not say what {name} is, or it is none of {', '.join(DTYPES)}"
        ) from None
    numbers = (*shape, begin, end)
    if not all(type(n) is int and 0 <= n <= MAX_BYTES for n in numbers) or len(shape) > MAX_SIDES:
        raise ModelError(f"{where}: the header tells an impossible size of {name}")
    if math.prod(shape) * dtype[1] != end - begin:
        raise ModelError(f"{where}: {name} has the shape {shape}, but {end - begin:,} bytes")
    return name, begin, end, dtype, shape


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
