"""The codec of a frame that holds samples: what is around them by another prior, then the samples by linear prediction.

payload = varint(bytes of the first) · payload of what is around the samples · payload of the samples

Tokens are the nibbles of the source, in its order. The samples are coded by the core, or by the twin where there is no core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...coding.base import Codec, Frame, Report, SteppedPrior, Watch, check_temperature, silent, unwatched
from ...errors import ChecksumError, TokpressError
from ...grid import Grid
from ...lazy import np
from ...native import library
from ...native import samples as native
from ...tokenizers.bytes import NibblesTokenizer
from ...tokens import TokenBuffer
from ...wire import pack_varint

if TYPE_CHECKING:
    from numpy.typing import NDArray

NIBBLES = NibblesTokenizer()
#: the longest varint of a length
MOST_VARINT = 9


def _coder() -> Any:
    if library.is_here():
        return native
    from . import codec as twin  # numpy

    return twin


class SamplesCodec(Codec):
    """around: the codec of so many tokens of the bytes around the samples."""

    def __init__(self, frame: Frame, grid: Grid, around: Callable[[int], Codec]) -> None:
        super().__init__(frame)
        self._grid, self._around = grid, around
        self._rest = grid.start + grid.rows * grid.padding + frame.tokens // 2 - grid.stop  # bytes around the samples

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        source, grid = NIBBLES.decode(tokens), self._grid
        rest = grid.around(source)
        head = self._around(2 * len(rest)).encode(NIBBLES.encode(rest)) if rest else b""
        samples = _coder().encode(source, grid, lambda done: report(2 * (len(rest) + done * grid.sample_bytes)))
        return pack_varint(len(head)) + head + samples

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        size, begin = _take_varint(payload)
        if size > len(payload) - begin:
            raise ChecksumError("the payload ends before what is around its samples")
        head = payload[begin : begin + size]
        return self._decode(payload[begin + size :], lambda codec, tokens: codec.decode(head, tokens), watch)

    def _decode(self, payload: bytes, around: Callable[[Codec, int], TokenBuffer], watch: Watch) -> TokenBuffer:
        grid = self._grid
        rest = NIBBLES.decode(around(self._around(2 * self._rest), 2 * self._rest)) if self._rest else b""
        source = grid.blank(rest)
        told = 0

        def report(done: int) -> None:
            """The bytes up to the row of the next sample are known; after the last sample all are."""
            nonlocal told
            row = grid.columns * grid.channels
            known = len(source) if done == grid.samples else grid.start + done // row * grid.row_bytes
            known = known if grid.picture or done == grid.samples else grid.start + done * grid.sample_bytes
            watch(NIBBLES.encode(bytes(source[told:known])))
            told = known

        _coder().decode(payload, source, grid, report)
        return NIBBLES.encode(bytes(source))

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """The bits of a sample are shared out among its nibbles."""
        source, grid = NIBBLES.decode(tokens), self._grid
        rest = grid.around(source)
        bits = np.empty((len(source), 2))
        samples = np.array(_coder().score(source, grid)) / (2 * grid.sample_bytes)
        used = grid.row_bytes - grid.padding
        rows = bits[grid.start : grid.stop].reshape(grid.rows, grid.row_bytes, 2)
        rows[:, :used] = np.repeat(samples, 2 * grid.sample_bytes).reshape(grid.rows, used, 2)
        if rest:
            around = self._around(2 * len(rest)).score(NIBBLES.encode(rest)).reshape(-1, 2)
            padded = grid.start + grid.rows * grid.padding
            bits[: grid.start], bits[grid.stop :] = around[: grid.start], around[padded:]
            rows[:, used:] = around[grid.start : padded].reshape(grid.rows, grid.padding, 2)
        report(len(tokens))
        return bits.reshape(-1)

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> TokenBuffer:
        """Random bits, decoded: at a temperature of 1 only."""
        check_temperature(temperature)
        if temperature != 1:
            raise TokpressError("samples are drawn at a temperature of 1: their decisions are not one distribution")
        return self.decode_noise(np.random.default_rng(seed).bytes(2 * count + 64), count)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        half = len(noise) // 2
        return self._decode(noise[half:], lambda codec, tokens: codec.decode_noise(noise[:half], tokens), watch)

    def stepped(self) -> list[SteppedPrior]:
        return self._around(2).stepped()


def _take_varint(payload: bytes) -> tuple[int, int]:
    """(a number, where it ends)."""
    number = 0
    for at, byte in enumerate(payload[:MOST_VARINT]):
        number |= (byte & 127) << 7 * at
        if byte < 128:
            return number, at + 1
    raise ChecksumError("the payload ends before the length of what is around its samples")
