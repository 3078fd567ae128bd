"""Context mixing as a prior over bytes: nothing to train, for any file (`byte_model` explains the model).

Its codec codes a byte as eight binary decisions, each learned before the next is predicted, so no byte has a pmf of its own. The core
runs it where there is one; elsewhere the twin does, 1,000 times as slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...coding.base import (
    WATCH_EVERY,
    Codec,
    Frame,
    Report,
    Stepped,
    Watch,
    check_temperature,
    silent,
    unwatched,
)
from ...coding.lanes import FrameRules
from ...container.proportion import TOKENS_A_BYTE
from ...errors import ModelError
from ...exact.tensors import nothing_else
from ...lazy import np
from ...media.grid import Grid
from ...native import context_mixing as core
from ...native import library
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import TokenBuffer, as_bytes
from ..base import Prior
from . import bits
from .contexts import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pixels_of(grid: Grid | None) -> Pixels | None:
    """Where a grid's pixels lie. Of a recording, the row above is the sample two frames ago."""
    if grid is None or grid.stop <= grid.start:
        return None
    pixel = grid.channels * grid.sample_bytes
    if grid.picture:
        return Pixels(grid.start, grid.stop, pixel, grid.row_bytes, grid.row_bytes - grid.padding)
    return Pixels(grid.start, grid.stop, pixel, 2 * pixel, 2 * pixel)


class ContextMixed(Codec):
    """Bytes as binary decisions under context mixing, in one lane, whatever the frame asks for."""

    def __init__(self, frame: Frame, pixels: Pixels | None = None) -> None:
        super().__init__(frame._replace(lanes=1))
        self._pixels = pixels

    def stepped(self) -> list[Stepped]:
        return []

    def _core(self, count: int) -> core.Mixer:
        return core.Mixer(count, self._pixels, block=WATCH_EVERY)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        source = as_bytes(tokens)
        if library.is_here():
            return self._core(len(source)).encode(source, report)
        return bits.encode(bytes(source), self._pixels, report)

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        out, heard = bytearray(count), 0

        def tell(done: int) -> None:
            nonlocal heard
            if done - heard >= WATCH_EVERY or done == count:
                watch(out[heard:done])
                heard = done

        if library.is_here():
            self._core(count).decode(payload, tell, out)
        else:
            bits.decode(payload, count, self._pixels, tell, out)
        return out

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        return self.decode(noise, count, watch)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        source = as_bytes(tokens)
        here = library.is_here()
        costs: Any = (
            self._core(len(source)).score(source, report) if here else bits.score(bytes(source), self._pixels, report)
        )
        return np.array(costs, np.float64) / core.COST_UNIT

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> bytearray:
        check_temperature(temperature)
        rng, sharpness = np.random.default_rng(seed), int(min(65536 / temperature, 1 << 32))
        words = rng.integers(0, 1 << 32, 8 * count, np.uint32)
        at = iter(range(0, 8 * count, 8 * WATCH_EVERY))
        if library.is_here():
            drawn = self._core(count).sample(b"", lambda some: words[(begin := next(at)) : begin + some], sharpness)
        else:
            each = iter(words.tolist())
            drawn = bits.sample(count, b"", lambda: next(each), sharpness, self._pixels)
        return drawn


class ContextMixingPrior(Prior):
    """
    >>> codec = ContextMixingPrior().codec(Frame(tokens=4))
    >>> codec.decode(codec.encode(b"ABAB"), 4)
    bytearray(b'ABAB')
    """

    name = "context_mixing"
    vocab_size = 256

    def __init__(self, on_grid: bool = False) -> None:
        """on_grid: use the pixels around a byte as its contexts, where the source holds pixels."""
        # one lane: what is new to several lanes is new to each of them
        self.rules = FrameRules(max_lanes=1, tokens_per_byte=TOKENS_A_BYTE, on_grid=on_grid, starts_empty=True)

    def codec(self, frame: Frame) -> Codec:
        return ContextMixed(frame, pixels_of(frame.grid) if self.rules.on_grid else None)

    def config(self) -> Config:
        return {"on_grid": True} if self.rules.on_grid else {}

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> ContextMixingPrior:
        check_settings(f"a {cls.name} prior", config, set(), {"on_grid"})
        nothing_else(tensors, set())
        on_grid = config.get("on_grid", False)
        on_grid = {"true": True, "false": False}.get(on_grid, on_grid) if isinstance(on_grid, str) else on_grid
        if not isinstance(on_grid, bool):
            raise ModelError(f"on_grid of a context mixing prior is true or false, not {on_grid!r}")
        if vocab_size != cls.vocab_size:
            raise ModelError(f"a context mixing prior is over bytes, not {vocab_size:,} symbols: --tokenizer bytes")
        return cls(on_grid)
