"""Linear prediction of the samples of a grid by the core (core/samples.c; `priors.linear_prediction` is the twin).

What is around the samples, and the bytes behind each row, are not coded here."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from . import library

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
#: samples of one call of the core; between two of them `report` and Ctrl-C are heard
SAMPLES_AT_ONCE = 1 << 16


class GridLike(Protocol):
    """The fields of `grid.Grid` that the core is told."""

    start: int
    rows: int
    columns: int
    channels: int
    bits: int
    picture: bool
    signed: bool
    little: bool
    padding: int


class _Handle:
    """A model of the core, freed when it is left."""

    def __init__(self, grid: GridLike, using: str | None) -> None:
        self.using, self.samples = using, grid.rows * grid.columns * grid.channels
        fields = (grid.start, grid.rows, grid.columns, grid.channels, grid.bits)
        flags = (grid.picture, grid.signed, grid.little, grid.padding)
        new = library.function("samples_new", _POINTER, result=_POINTER, using=using)
        self.model = new((ctypes.c_int64 * 9)(*fields, *flags))
        if not self.model:
            raise MemoryError(f"the core found no memory for {self.samples:,} samples, or refuses their grid")

    def __enter__(self) -> "_Handle":
        return self

    def __exit__(self, *error: object) -> None:
        library.function("samples_free", _POINTER, result=None, using=self.using)(self.model)

    def call(self, name: str, *arguments: Any, types: Sequence[Any] = ()) -> int:
        return library.checked(library.function(name, _POINTER, *types, using=self.using)(self.model, *arguments))

    def code(self, source: Any, size: int, bits: Any, report: Callable[[int], None]) -> None:
        """All samples. report: hears how many are coded."""
        left = self.samples
        while left:
            arguments = (source, size, SAMPLES_AT_ONCE, bits)
            left = self.call("samples_code", *arguments, types=(_POINTER, _COUNT, _COUNT, _POINTER))
            report(self.samples - left)


def _silent(samples: int) -> None:
    pass


def encode(source: Any, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None) -> bytes:
    """The payload of the samples of a source. using: an instruction set, for tests. Raises CoreError where the grid does not fit."""
    with _Handle(grid, using) as handle:
        handle.call("samples_start_encoder")
        place, size = library.address(source)
        handle.code(place, size, None, report)
        payload = bytearray(handle.call("samples_finish", None, 0, types=(_POINTER, _COUNT)))
        if payload:
            handle.call("samples_finish", *library.writable(payload), types=(_POINTER, _COUNT))
        return bytes(payload)


def decode(
    payload: Any, out: bytearray, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None
) -> None:
    """Write the samples to their places in `out`, which is as long as the source. Raises ChecksumError where the payload ends early."""
    with _Handle(grid, using) as handle:
        words, length = library.address(payload)
        handle.call("samples_start_decoder", words, length, types=(_POINTER, _COUNT))
        handle.code(*library.writable(out), None, report)


def score(
    source: Any, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None
) -> list[float]:
    """Bits of each sample, in the order of the source."""
    with _Handle(grid, using) as handle:
        bits = (ctypes.c_double * handle.samples)()
        place, size = library.address(source)
        handle.code(place, size, bits, report)
        return list(bits)
