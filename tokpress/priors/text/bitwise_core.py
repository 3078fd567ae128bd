"""Bitwise coding of text in the core: the codec of `bitwise.BitwisePrior` where the core steps its base."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

from ...coding.base import Codec, Frame, Report, Stepped, Watch, check_temperature, silent, unwatched
from ...coding.lanes import Layout
from ...exact.threads import most_threads, threads
from ...lazy import np
from ...native.bitwise import COST_UNIT, SHARPEST, BitwiseFrame, Primed, TokenTable
from ...native.text import Model
from ...tokens import TokenBuffer, as_ids
from ..base import SteppedPrior
from .core import decode_in_blocks, model_of, started

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: random bytes for a drawn token; few tokens take more than 4
DRAWN_BYTES = 16


def in_core(
    base: SteppedPrior,
    mixing: Callable[[], tuple[TokenTable, Primed | None]],
    frame: Frame,
    twin: Callable[[Frame], Codec],
) -> Codec:
    """The codec of a frame in the core; the twin where there is no core, where the core does not step this base, and where the frame names
    a kernel."""
    model = model_of(base) if frame.kernel == "auto" else None
    return twin(frame) if model is None else BitwiseCodec(model, *mixing(), frame, twin)


class BitwiseCodec(Codec):
    reads_context = True

    def __init__(
        self, model: Model, token_bytes: TokenTable, primed: Primed | None, frame: Frame, twin: Callable[[Frame], Codec]
    ) -> None:
        super().__init__(frame)
        self.model, self.token_bytes, self.primed, self._twin = model, token_bytes, primed, twin

    def stepped(self) -> list[Stepped]:
        return self._twin(self.frame).stepped()

    def _start(self, count: int) -> AbstractContextManager[BitwiseFrame]:
        make = partial(
            BitwiseFrame, self.model, self.token_bytes, threads=most_threads(), free=threads, primed=self.primed
        )
        return started(self.frame, count, make)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        if not len(tokens):
            return b""
        with self.limits(), self._start(len(tokens)) as coded:
            return coded.encode(as_ids(tokens), report)

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        with self.limits():
            return self._decode(payload, count, 1 << 16, watch)

    def _decode(self, payload: bytes, count: int, sharpness: int, watch: Watch) -> TokenBuffer:
        if not count:
            return array("i")
        layout = Layout.divide(count, self.frame.lanes)
        with self._start(count) as coded:
            coded.start(payload)
            return decode_in_blocks(
                layout, lambda block, steps: coded.decode(block, steps, sharpness), watch, self.frame.watch_every
            )

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        if not len(tokens):
            return np.zeros(0)
        with self.limits(), self._start(len(tokens)) as coded:
            costs: NDArray[np.float64] = np.array(coded.score(as_ids(tokens), report), np.int64) / COST_UNIT
            return costs

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> TokenBuffer:
        """Decode random bytes: each bit is drawn from p^(1/temperature)."""
        with self.limits():
            check_temperature(temperature)
            noise = np.random.default_rng(seed).bytes(DRAWN_BYTES * count + 64)
            return self._decode(noise, count, int(min(65536 / temperature, SHARPEST)), unwatched)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        with self.limits():
            return self._decode(noise, count, 1 << 16, watch)
