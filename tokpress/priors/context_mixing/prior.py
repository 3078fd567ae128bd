"""Context mixing as a prior over bytes: for any file, without training (`byte_model` explains the model).

Its codec codes a byte as eight binary decisions. Each is learned before the next one is predicted, so a byte has no pmf. The native
core runs the model; without the core, the twin does, 1,000 times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

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
from ...errors import ChecksumError, ModelError
from ...exact.tensors import nothing_else
from ...lazy import lazy, np
from ...media.grid import Grid
from ...native import context_mixing as core
from ...native import library
from ...storage.files import check_settings
from ...tokenizers.base import Config
from ...tokens import TokenBuffer, as_bytes
from ..base import Prior
from . import bits, branch_targets
from .byte_model import ContextMixing
from .contexts import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: first byte of a payload: the filter that the source went through; no flip of one bit makes one of the other
NO_FILTER, BRANCH_TARGETS = 0, 0x86


def pixels_of(grid: Grid | None) -> Pixels | None:
    """The pixels of a grid. In a recording, the sample two frames ago counts as the pixel above."""
    if grid is None or grid.stop <= grid.start:
        return None
    pixel = grid.channels * grid.sample_bytes
    if grid.picture:
        return Pixels(grid.start, grid.stop, pixel, grid.row_bytes, grid.row_bytes - grid.padding)
    return Pixels(grid.start, grid.stop, pixel, 2 * pixel, 2 * pixel)


class ContextMixed(Codec):
    """Bytes as binary decisions under context mixing, in one lane, whatever the frame says.

    A frame with a context has no filter, and no byte that names one."""

    reads_context = True

    def __init__(self, frame: Frame, pixels: Pixels | None = None) -> None:
        super().__init__(frame._replace(lanes=1))
        self._pixels = pixels

    def stepped(self) -> list[Stepped]:
        return []

    @lazy
    def _context(self) -> bytes:
        return bytes(as_bytes(self.frame.context.tokens)) if self.frame.context else b""

    def _core(self, count: int) -> AbstractContextManager[core.Mixer]:
        """A model of the core for `count` bytes, after the context."""
        if self.frame.context is None:
            return nullcontext(core.Mixer(count, self._pixels, block=WATCH_EVERY))
        return self.frame.context.state(count, partial(core.Mixer, block=WATCH_EVERY), self._context)

    def _twin(self, count: int) -> ContextMixing:
        """The twin of `_core`."""
        context = self.frame.context
        return bits.after(self._context, context.room(count) if context else count, self._pixels)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        source = as_bytes(tokens)
        if not source:
            return b""
        start = b""
        if self.frame.context is None:
            used, source = self._filtered(source)
            start = bytes([used])
        if not library.is_here():
            return start + bits.encode(bytes(source), None, report, self._twin(len(source)))
        with self._core(len(source)) as mixer:
            return start + mixer.encode(source, report)

    def _filtered(self, source: TokenBuffer) -> tuple[int, TokenBuffer]:
        """The filter that the encoder chooses, and the source after it."""
        if self._pixels is not None or not branch_targets.is_code(bytes(source)):
            return NO_FILTER, source
        code = bytearray(source)
        branch_targets.replace(code)
        return BRANCH_TARGETS, code

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        if not count:
            return bytearray()
        if self.frame.context is not None:
            return self.decode_noise(payload, count, watch)
        if not payload or payload[0] not in (NO_FILTER, BRANCH_TARGETS):
            raise ChecksumError(
                "the payload does not begin with a filter of context mixing, or a newer tokpress has it"
            )
        if payload[0] == NO_FILTER:
            return self.decode_noise(payload[1:], count, watch)
        # the model goes on reading the filtered bytes
        source, filtered = bytearray(), bytearray(count)
        restored = 0

        def restore(done: int) -> None:
            nonlocal restored
            source.extend(filtered[len(source) : done])
            end = done if done == count else max(restored, done - branch_targets.OPERAND)
            branch_targets.restore(source, restored, end)
            begin, restored = restored, end
            if end > begin:
                watch(source[begin:end])

        self._decode_bits(payload[1:], filtered, restore)
        return source

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> bytearray:
        out, reported = bytearray(count), 0

        def report(done: int) -> None:
            nonlocal reported
            watch(out[reported:done])
            reported = done

        self._decode_bits(noise, out, report)
        return out

    def _decode_bits(self, payload: bytes, out: bytearray, progress: Callable[[int], None]) -> None:
        """Decode to `out`. progress(done) follows every WATCH_EVERY bytes and the last."""
        if library.is_here():
            with self._core(len(out)) as mixer:
                mixer.decode(payload, progress, out)
            return

        def report(done: int) -> None:
            if done % WATCH_EVERY == 0 or done == len(out):
                progress(done)

        bits.decode(payload, len(out), None, report, out, self._twin(len(out)))

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        source = as_bytes(tokens)
        if self.frame.context is None:
            _, source = self._filtered(source)
        costs: Sequence[int]
        if library.is_here():
            with self._core(len(source)) as mixer:
                costs = mixer.score(source, report)
        else:
            costs = bits.score(bytes(source), None, report, self._twin(len(source)))
        return np.array(costs, np.float64) / core.COST_UNIT

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> bytearray:
        check_temperature(temperature)
        rng, sharpness = np.random.default_rng(seed), int(min(65536 / temperature, 1 << 32))
        words, context = rng.integers(0, 1 << 32, 8 * count, np.uint32), self._context
        starts = iter(range(0, 8 * count, 8 * WATCH_EVERY))
        if library.is_here():
            mixer = core.Mixer(len(context) + count, self._pixels, block=WATCH_EVERY)
            drawn = mixer.sample(context, lambda size: words[(start := next(starts)) : start + size], sharpness)
        else:
            uniforms = iter(words.tolist())
            drawn = bits.sample(len(context) + count, context, lambda: next(uniforms), sharpness, self._pixels)
        return drawn[len(context) :]


class ContextMixingPrior(Prior):
    """
    >>> codec = ContextMixingPrior().codec(Frame(tokens=4))
    >>> codec.decode(codec.encode(b"ABAB"), 4)
    bytearray(b'ABAB')
    """

    name = "context_mixing"
    defaults: ClassVar = {"on_grid": False}
    vocab_size = 256

    def __init__(self, on_grid: bool = False) -> None:
        """on_grid: take the pixels around a byte as its contexts, where the source holds pixels."""
        # one lane: several lanes would each learn what is new
        self.rules = FrameRules(max_lanes=1, tokens_per_byte=TOKENS_A_BYTE, on_grid=on_grid, starts_empty=True)

    def codec(self, frame: Frame) -> Codec:
        return ContextMixed(frame, pixels_of(frame.grid) if self.rules.on_grid else None)

    def config(self) -> Config:
        return {"on_grid": True} if self.rules.on_grid else {}

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> ContextMixingPrior:
        check_settings(f"a {cls.name} prior", config, set(), {"on_grid"})
        nothing_else(tensors, set())
        on_grid = config.get("on_grid", False)
        on_grid = {"true": True, "false": False}.get(on_grid, on_grid) if isinstance(on_grid, str) else on_grid
        if not isinstance(on_grid, bool):
            raise ModelError(f"on_grid of a context mixing prior is true or false, not {on_grid!r}")
        if vocab_size != cls.vocab_size:
            raise ModelError(f"a context mixing prior is over bytes, not {vocab_size:,} symbols: --tokenizer bytes")
        return cls(on_grid)
