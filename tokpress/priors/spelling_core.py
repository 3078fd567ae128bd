"""Tokens that are spelled, in the core: the codec of `spelling.SpellingPrior` where the core steps its base."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..coding.base import (
    Codec,
    Frame,
    Report,
    SteppedPrior,
    Tokens,
    Watch,
    check_temperature,
    silent,
    unwatched,
    with_threads,
)
from ..coding.lanes import Layout
from ..coding.symbolwise import Growing
from ..exact.threads import threads
from ..native.spelling import COST_UNIT, SHARPEST, Spelled, Spellings
from ..native.text import AT_ONCE, Model
from ..types import Prior
from .text_core import model_of

#: random bytes for a token that is drawn; few take more than 4
DRAWN_BYTES = 16


def in_core(base: Prior, spellings: Sequence[bytes], frame: Frame, twin: Codec) -> Codec:
    """The frame's codec in the core, or the twin: where the core is not here or does not step such a base, and where a kernel of the
    twin is asked for."""
    model = model_of(base, factored=False) if frame.kernel == "auto" else None
    return twin if model is None else SpelledCodec(model, Spellings(spellings), frame, twin)


class SpelledCodec(Codec):
    def __init__(self, model: Model, spellings: Spellings, frame: Frame, twin: Codec) -> None:
        super().__init__(frame)
        self.model, self.spellings, self.twin = model, spellings, twin

    def stepped(self) -> list[SteppedPrior]:
        return self.twin.stepped()

    def _start(self, layout: Layout) -> Spelled:
        return Spelled(self.model, self.spellings, layout.lanes, layout.tokens, threads())

    @with_threads
    def encode(self, tokens: Tokens, report: Report = silent) -> bytes:
        if not len(tokens):
            return b""
        spelled = self._start(Layout.of(len(tokens), self.frame.lanes))
        return spelled.encode(np.ascontiguousarray(tokens, np.int32), report)

    @with_threads
    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self._decode(payload, count, 1 << 16, watch)

    def _decode(self, payload: bytes, count: int, sharpness: int, watch: Watch) -> Tokens:
        if not count:
            return np.zeros(0, np.int32)
        layout = Layout.of(count, self.frame.lanes)
        spelled, grid, at_once = self._start(layout), Growing(layout), max(1, AT_ONCE // layout.lanes)
        spelled.start(payload)
        for rows, first, stop in layout.runs():
            for at in range(first, stop, at_once):
                block = np.zeros((layout.lanes, min(at_once, stop - at)), np.int32)
                spelled.decode(block, block.shape[1], sharpness)
                grid.put(block[:rows], at)
                watch(block[:rows])
        return grid.join()

    @with_threads
    def score(self, tokens: Tokens, report: Report = silent) -> NDArray[np.float64]:
        if not len(tokens):
            return np.zeros(0)
        spelled = self._start(Layout.of(len(tokens), self.frame.lanes))
        return np.frombuffer(spelled.score(np.ascontiguousarray(tokens, np.int32), report), np.int64) / COST_UNIT

    @with_threads
    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        """Random bytes, decoded: each bit is drawn from p^(1/temperature)."""
        check_temperature(temperature)
        noise = np.random.default_rng(seed).bytes(DRAWN_BYTES * count + 64)
        return self._decode(noise, count, int(min(65536 / temperature, SHARPEST)), unwatched)

    @with_threads
    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self._decode(noise, count, 1 << 16, watch)
