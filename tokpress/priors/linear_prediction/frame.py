"""The codec of a frame that holds samples: the bytes around them by context mixing, then the samples by linear prediction.

payload = varint(bytes of the first) · payload of the bytes around the samples · payload of the samples

Tokens are bytes. The samples are coded by the core, or by the twin where there is no core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

#: the longest varint of a length
MAX_VARINT = 9


def _coder() -> Any:
    if library.is_here():
        return native
    from . import codec as twin  # numpy

    return twin


class LinearPredictionCodec(Codec):
    """The bytes of a source whose samples lie on a grid, in one lane."""

    def __init__(self, frame: Frame, grid: Grid) -> None:
        super().__init__(frame._replace(lanes=1))
        self._grid = grid

    def _around(self, size: int) -> ContextMixed:
        """The codec of so many bytes around the samples."""
        return ContextMixed(self.frame._replace(tokens=size))

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        source, grid = bytes(as_bytes(tokens)), self._grid
        rest = grid.around(source)
        head = self._around(len(rest)).encode(rest) if rest else b""
        samples = _coder().encode(source, grid, lambda done: report(len(rest) + done * grid.sample_bytes))
        return pack_varint(len(head)) + head + samples

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        size, begin = _take_varint(payload)
        if size > len(payload) - begin:
            raise ChecksumError("the payload ends before what is around its samples")
        return self._decode(payload[begin : begin + size], payload[begin + size :], count, watch)

    def _decode(self, head: bytes, samples: bytes, count: int, watch: Watch) -> bytearray:
        grid = self._grid
        around = grid.start + grid.rows * grid.padding + count - grid.stop
        rest = bytes(self._around(around).decode(head, around)) if around else b""
        source = grid.blank(rest)
        told = 0

        def report(done: int) -> None:
            """The bytes up to the row of the next sample are known; after the last sample all are."""
            nonlocal told
            row = grid.columns * grid.channels
            known = len(source) if done == grid.samples else grid.start + done // row * grid.row_bytes
            known = known if grid.picture or done == grid.samples else grid.start + done * grid.sample_bytes
            watch(source[told:known])
            told = known

        _coder().decode(samples, source, grid, report)
        return source

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """The bits of a sample are shared out among its bytes."""
        source, grid = bytes(as_bytes(tokens)), self._grid
        rest = grid.around(source)
        bits = np.empty(len(source))
        samples = np.array(_coder().score(source, grid)) / grid.sample_bytes
        used = grid.row_bytes - grid.padding
        rows = bits[grid.start : grid.stop].reshape(grid.rows, grid.row_bytes)
        rows[:, :used] = np.repeat(samples, grid.sample_bytes).reshape(grid.rows, used)
        if rest:
            around = self._around(len(rest)).score(rest)
            padded = grid.start + grid.rows * grid.padding
            bits[: grid.start], bits[grid.stop :] = around[: grid.start], around[padded:]
            rows[:, used:] = around[grid.start : padded].reshape(grid.rows, grid.padding)
        report(len(tokens))
        return bits

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> bytearray:
        """Random bits, decoded: at a temperature of 1 only."""
        check_temperature(temperature)
        if temperature != 1:
            raise TokpressError("samples are drawn at a temperature of 1: their decisions are not one distribution")
        return self.decode_noise(np.random.default_rng(seed).bytes(4 * count + 64), count)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        half = len(noise) // 2
        return self._decode(noise[:half], noise[half:], count, watch)

    def stepped(self) -> list[Stepped]:
        return []


def _take_varint(payload: bytes) -> tuple[int, int]:
    """(a number, where it ends)."""
    number = 0
    for at, byte in enumerate(payload[:MAX_VARINT]):
        number |= (byte & 127) << 7 * at
        if byte < 128:
            return number, at + 1
    raise ChecksumError("the payload ends before the length of what is around its samples")
