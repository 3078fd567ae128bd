"""Text priors in the core: `native.text` steps a minGRU, with or without a memory.

`in_core` returns a codec of the core, or its twin, which steps the priors in Python.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ...coding.base import Codec, Frame, Pmf, Report, Stepped, Watch, silent, unwatched
from ...coding.classes import classes_of
from ...coding.lanes import Layout
from ...exact.threads import most_threads, threads
from ...lazy import np
from ...native import library
from ...native.text import BLOCK_TOKENS, Model, Text
from ...storage.tensors import buffers
from ...tokens import TokenBuffer, Tokens, as_ids
from ..base import SteppedPrior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...coding.class_factored import ClassFactored
    from ...coding.symbolwise import Symbolwise
    from ...native.bitwise import BitwiseFrame

C = TypeVar("C", bound="Text | BitwiseFrame")
#: lower bound of a probability: one interval of the coder
LEAST = 2.0**-24


def model_of(prior: SteppedPrior, factored: bool = True) -> Model | None:
    """The prior for the core; None where there is no core, or it does not step this prior. factored: as in `Model`."""
    if not library.is_here():
        return None
    try:
        return Model({"name": prior.name, **prior.config()}, buffers(prior.tensors()), factored)
    except ValueError:
        return None


def in_core(prior: SteppedPrior, frame: Frame) -> Codec:
    """The codec of a frame in the core; the twin where there is no core, or the frame names a kernel."""
    model = model_of(prior) if frame.kernel == "auto" else None
    return twin_of(prior, frame) if model is None else TextCodec(prior, model, frame)


def twin_of(prior: SteppedPrior, frame: Frame) -> Symbolwise | ClassFactored:
    """The codec that steps the prior in Python: by classes where the prior has classes, else symbol by symbol."""
    from ...coding.class_factored import ClassFactored, FactoredPrior  # both import numpy
    from ...coding.symbolwise import Symbolwise

    stepped, classes = prior.for_frame(frame), classes_of(prior)
    return (
        Symbolwise(stepped, frame) if classes is None else ClassFactored(cast(FactoredPrior, stepped), classes, frame)
    )


def decode_in_blocks(
    layout: Layout, decode: Callable[[array[int], int], object], watch: Watch, watch_every: int = BLOCK_TOKENS
) -> array[int]:
    """The tokens [N] of all lanes. `decode(block, steps)` fills a block [lanes, steps]; `watch` is called with each block.

    Lanes grow as they are decoded, so a false token count takes no memory."""
    block_steps = max(1, min(watch_every, BLOCK_TOKENS) // layout.lanes)
    lanes = [array("i") for _ in range(layout.lanes)]
    for rows, first, stop in layout.runs():
        for at in range(first, stop, block_steps):
            steps = min(block_steps, stop - at)
            block = array("i", bytes(4 * layout.lanes * steps))
            decode(block, steps)
            for lane in range(rows):
                lanes[lane] += block[lane * steps : (lane + 1) * steps]
            watch(block[: rows * steps])
    tokens = lanes[0]
    for lane_tokens in lanes[1:]:
        tokens += lane_tokens
    return tokens


def started(frame: Frame, count: int, make: Callable[[int, int], C]) -> AbstractContextManager[C]:
    """A handle of the core for the tokens of a frame, after its context. make(lanes, tokens): a new one."""
    if (context := frame.context) is None:
        layout = Layout.divide(count, frame.lanes)
        return nullcontext(make(layout.lanes, layout.tokens))
    return context.state(count, partial(make, 1), as_ids(context.tokens))


class TextCodec(Codec):
    reads_context = True

    def __init__(self, prior: SteppedPrior, model: Model, frame: Frame) -> None:
        super().__init__(frame)
        self.prior, self.model = prior, model

    def stepped(self) -> list[Stepped]:
        return twin_of(self.prior, self.frame).stepped()

    def _start(self, count: int) -> AbstractContextManager[Text]:
        make = partial(Text, self.model, threads=most_threads(), free=threads)
        return started(self.frame, count, make)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        if not len(tokens):
            return b""
        with self.limits(), self._start(len(tokens)) as text:
            return text.encode(as_ids(tokens), report)

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> array[int]:
        if not count:
            return array("i")
        with self.limits(), self._start(count) as text:
            text.start(payload)
            return decode_in_blocks(Layout.divide(count, self.frame.lanes), text.decode, watch, self.frame.watch_every)

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        if not len(tokens):
            return np.zeros(0)
        with self.limits(), self._start(len(tokens)) as text:
            p = np.array(text.score(as_ids(tokens), report))
            bits: NDArray[np.float64] = -np.log2(np.maximum(p, LEAST)).reshape(-1, 2).sum(1)
            return bits

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> TokenBuffer:
        return self.by_symbols().sample(count, seed, temperature)

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        return self.by_symbols().decode_noise(noise, count, watch)

    def by_symbols(self) -> Symbolwise:
        """The codec that computes the probabilities of all symbols: a symbol is drawn before its class is known."""
        from ...coding.symbolwise import Symbolwise  # imports numpy

        model = model_of(self.prior, factored=False)
        return (
            twin_of(self.prior, self.frame).by_symbols()
            if model is None
            else Symbolwise(CoreSteps(self.prior, model), self.frame)
        )


class CoreSteps:
    """Steps of a prior in the core: the probabilities of all symbols."""

    def __init__(self, prior: SteppedPrior, model: Model) -> None:
        self.vocab_size, self.rules, self._model = prior.vocab_size, prior.rules, model

    def init(self, lanes: int, tokens: int) -> Text:
        return Text(self._model, lanes, tokens, threads())

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        pmf = np.empty((rows, self.vocab_size), np.float32)
        state.step(None if previous is None else np.ascontiguousarray(previous, np.int32), rows, pmf)
        return pmf

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        for t in range(symbols.shape[1]):
            yield self.step(state, previous, len(symbols))[None]
            previous = np.ascontiguousarray(symbols[:, t])
