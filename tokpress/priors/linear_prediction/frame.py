"""The codec of a frame that holds samples: context mixing codes the bytes around them, linear prediction codes the samples.

payload = varint(size of the next payload) · payload of the bytes around the samples · payload of the samples

Tokens are bytes. The samples are coded by the core, or by the twin where there is no core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from ...coding.base import Codec, Frame, Report, Stepped, Watch, check_temperature, silent, unwatched
from ...container.varint import pack_varint
from ...errors import ChecksumError, TokpressError
from ...lazy import np
from ...media.grid import Grid
from ...native import library
from ...native import linear_prediction as native
from ...tokens import TokenBuffer, as_bytes
from ..context_mixing.prior import ContextMixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: longest varint of a size
MAX_VARINT = 9


class SampleCodec(Protocol):
    """The functions of `native.linear_prediction` and of its twin, `codec`."""

    def encode(self, source: bytes, grid: Grid, report: Callable[[int], None]) -> bytes: ...

    def decode(self, payload: bytes, out: bytearray, grid: Grid, report: Callable[[int], None]) -> None: ...

    def score(self, source: bytes, grid: Grid) -> list[float]: ...


def _sample_codec() -> SampleCodec:
    if library.is_here():
        return cast(SampleCodec, native)
    from . import codec as twin  # numpy

    return cast(SampleCodec, twin)


class LinearPredictionCodec(Codec):
    """The bytes of a source whose samples lie on a grid, in one lane."""

    def __init__(self, frame: Frame, grid: Grid) -> None:
        super().__init__(frame._replace(lanes=1))
        self._grid = grid

    def _around(self, size: int) -> ContextMixed:
        """The codec of the `size` bytes around the samples."""
        return ContextMixed(self.frame._replace(tokens=size))

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        source, grid = bytes(as_bytes(tokens)), self._grid
        around = grid.around(source)
        head = self._around(len(around)).encode(around) if around else b""
        samples = _sample_codec().encode(source, grid, lambda done: report(len(around) + done * grid.sample_bytes))
        return pack_varint(len(head)) + head + samples

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        size, begin = _take_varint(payload)
        if size > len(payload) - begin:
            raise ChecksumError("the payload ends within the bytes around its samples")
        around = self._size_around(count)
        decoded = self._around(around).decode(payload[begin : begin + size], around)
        return self._decode(bytes(decoded), payload[begin + size :], watch)

    def _size_around(self, count: int) -> int:
        """The number of bytes around the samples."""
        return self._grid.start + self._grid.rows * self._grid.padding + count - self._grid.stop

    def _decode(self, around: bytes, samples: bytes, watch: Watch) -> bytearray:
        """Decode the samples. around: the bytes around them."""
        grid = self._grid
        source = grid.blank(around)
        reported = 0

        def report(done: int) -> None:
            """Pass the complete rows to the watch; after the last sample, all bytes."""
            nonlocal reported
            row = grid.columns * grid.channels
            complete = len(source) if done == grid.samples else grid.start + done // row * grid.row_bytes
            complete = complete if grid.picture or done == grid.samples else grid.start + done * grid.sample_bytes
            watch(source[reported:complete])
            reported = complete

        _sample_codec().decode(samples, source, grid, report)
        return source

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """The bits of a sample are divided equally among its bytes."""
        source, grid = bytes(as_bytes(tokens)), self._grid
        around = grid.around(source)
        bits = np.empty(len(source))
        samples = np.array(_sample_codec().score(source, grid)) / grid.sample_bytes
        used = grid.row_bytes - grid.padding
        rows = bits[grid.start : grid.stop].reshape(grid.rows, grid.row_bytes)
        rows[:, :used] = np.repeat(samples, grid.sample_bytes).reshape(grid.rows, used)
        if around:
            costs = self._around(len(around)).score(around)
            padded = grid.start + grid.rows * grid.padding
            bits[: grid.start], bits[grid.stop :] = costs[: grid.start], costs[padded:]
            rows[:, used:] = costs[grid.start : padded].reshape(grid.rows, grid.padding)
        report(len(tokens))
        return bits

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> bytearray:
        """Decode random bits. Raises TokpressError unless the temperature is 1."""
        check_temperature(temperature)
        if temperature != 1:
            raise TokpressError("a linear prediction prior draws at temperature 1 only: leave the temperature out")
        return self.decode_noise(np.random.default_rng(seed).bytes(4 * count + 64), count)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        half, size = len(noise) // 2, self._size_around(count)
        around = self._around(size).decode_noise(noise[:half], size) if size else b""
        return self._decode(bytes(around), noise[half:], watch)

    def stepped(self) -> list[Stepped]:
        return []


def _take_varint(payload: bytes) -> tuple[int, int]:
    """(number, its end)."""
    number = 0
    for at, byte in enumerate(payload[:MAX_VARINT]):
        number |= (byte & 127) << 7 * at
        if byte < 128:
            return number, at + 1
    raise ChecksumError("the payload ends within the size of the bytes around its samples")
