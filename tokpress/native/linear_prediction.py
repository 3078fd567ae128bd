"""Linear prediction of the samples of a grid by the core (core/linear_prediction.c; `priors.linear_prediction` is the twin).

The bytes before and after the samples, and after each row, are not coded here."""

import ctypes
from collections.abc import Callable
from typing import Any, Protocol

from . import library
from .handle import COUNT, POINTER, Handle

#: samples per call of the core. After each call, `report` is called and Python handles Ctrl-C
SAMPLES_AT_ONCE = 1 << 16


class GridLike(Protocol):
    """The fields of `grid.Grid` that the core needs."""

    start: int
    rows: int
    columns: int
    channels: int
    bits: int
    picture: bool
    signed: bool
    little: bool
    padding: int


class _Model(Handle):
    kind = "prediction"

    def __init__(self, grid: GridLike, using: str | None) -> None:
        self.samples = grid.rows * grid.columns * grid.channels
        fields = (grid.start, grid.rows, grid.columns, grid.channels, grid.bits)
        flags = (grid.picture, grid.signed, grid.little, grid.padding)
        new = library.function("prediction_new", POINTER, result=POINTER, using=using)
        pointer = new((ctypes.c_int64 * 9)(*fields, *flags))
        if not pointer:
            raise MemoryError(f"the core found no memory for {self.samples:,} samples, or refuses their grid")
        self.hold(pointer, using)

    def code(self, source: Any, size: int, bits: Any, report: Callable[[int], None]) -> None:
        """Code all samples. report: is called with the number of coded samples."""
        left = self.samples
        while left:
            left = self.call("code", [POINTER, COUNT, COUNT, POINTER], source, size, SAMPLES_AT_ONCE, bits)
            report(self.samples - left)


def _silent(samples: int) -> None:
    pass


def encode(source: Any, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None) -> bytes:
    """The payload of the samples of a source. using: an instruction set, for tests. Raises CoreError if the grid does not fit."""
    model = _Model(grid, using)
    model.call("start_encoder", [])
    place, size = library.address(source)
    model.code(place, size, None, report)
    payload = bytearray(model.call("finish", [POINTER, COUNT], None, 0))
    if payload:
        model.call("finish", [POINTER, COUNT], *library.writable(payload))
    return bytes(payload)


def decode(
    payload: Any, out: bytearray, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None
) -> None:
    """Write the samples to their places in `out`, which is as long as the source. Raises ChecksumError if the payload ends early."""
    model = _Model(grid, using)
    words, length = library.address(payload)
    model.call("start_decoder", [POINTER, COUNT], words, length)
    model.code(*library.writable(out), None, report)


def score(
    source: Any, grid: GridLike, report: Callable[[int], None] = _silent, using: str | None = None
) -> list[float]:
    """Bits of each sample, in the order of the source."""
    model = _Model(grid, using)
    bits = (ctypes.c_double * model.samples)()
    place, size = library.address(source)
    model.code(place, size, bits, report)
    return list(bits)
