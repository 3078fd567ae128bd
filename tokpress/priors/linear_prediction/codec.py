"""Code the samples of a source as a payload, and back (core: linear_prediction.c, binding: native/linear_prediction.py).

The bytes around the samples are not coded here. `report` is called with the number of samples done."""

from collections.abc import Callable

from ...coding.base import silent
from ...media.grid import Grid
from . import bits
from .geometry import bytes_of, offset, place, value_of
from .residuals import SampleCoder

Buffer = bytes | bytearray | memoryview
#: samples between two reports
SAMPLES_AT_ONCE = 256


def encode(source: Buffer, grid: Grid, report: Callable[[int], None] = silent) -> bytes:
    """The payload of the samples of a source."""
    coder, model = bits.Encoder(), SampleCoder(grid)
    for done in range(grid.samples):
        model.code(coder, _read(source, grid, place(grid, done)))
        if done % SAMPLES_AT_ONCE == SAMPLES_AT_ONCE - 1 or done == grid.samples - 1:
            report(done + 1)
    return coder.finish()


def decode(payload: bytes, out: bytearray, grid: Grid, report: Callable[[int], None] = silent) -> None:
    """Write the samples to their places in `out`. Raises ChecksumError where the payload ends early."""
    coder, model = bits.Decoder(payload), SampleCoder(grid)
    for done in range(grid.samples):
        at = offset(grid, place(grid, done))
        out[at : at + grid.sample_bytes] = bytes_of(grid, model.code(coder, 0))
        if done % SAMPLES_AT_ONCE == SAMPLES_AT_ONCE - 1 or done == grid.samples - 1:
            report(done + 1)


def score(source: Buffer, grid: Grid) -> list[float]:
    """Bits of each sample, in the order of the source."""
    model, out = SampleCoder(grid), [0.0] * grid.samples
    for done in range(grid.samples):
        sample = place(grid, done)
        coder = bits.Scorer()
        model.code(coder, _read(source, grid, sample))
        out[sample] = coder.bits
    return out


def _read(source: Buffer, grid: Grid, sample: int) -> int:
    at = offset(grid, sample)
    return value_of(grid, bytes(source[at : at + grid.sample_bytes]))
