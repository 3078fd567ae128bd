"""The contract of every codec, and of the priors that codecs step.

    codec = prior.codec(Frame(tokens=len(tokens), lanes=16))
    payload = codec.encode(tokens)
    codec.decode(payload, len(tokens))      the same tokens, as int32 or uint8 (`tokens.py`)
    codec.score(tokens)                     bits of each token, −log2 p; their sum is about the payload's length

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import TokpressError
from ..exact.threads import at_most, one_blas_thread
from ..tokens import TokenBuffer, Tokens
from .lanes import FrameRules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..media.grid import Grid
    from .context import ContextTokens

    Pmf = NDArray[np.float32]  # [n, V], C-contiguous, every row sums to 1 within float32 rounding
else:
    Pmf = Any

#: called with the number of tokens done so far
Report = Callable[[int], None]
#: called with the tokens decoded since its last call; it may raise to stop the decoder
Watch = Callable[[TokenBuffer], None]
#: A decoder calls its watch, and an encoder its report, at least once in this many tokens.
WATCH_EVERY = 1 << 12


def silent(done: int) -> None:
    """The default report."""


def unwatched(tokens: TokenBuffer) -> None:
    """The default watch."""


class Frame(NamedTuple):
    """Settings of one frame's codec.

    tokens: number of tokens; a prior may size tables by it. lanes: largest number of lanes (`lanes.Layout`). kernel: "auto" or
    a name of `exact.kernels`. threads: largest number of threads, 0 for one per processor. Kernel and threads do not change the
    payload. grid: where the samples lie in the source, for priors whose rules say `on_grid`. given: for a prior of p(y | x), the
    tokens [M] of x, `FrameRules.given_size` for each item of y. context: tokens that the prior reads first; there is one lane then.
    watch_every: a decoder calls its watch at least once in this many tokens."""

    tokens: int
    lanes: int = 1
    kernel: str = "auto"
    threads: int = 0
    grid: Grid | None = None
    given: TokenBuffer | None = None
    context: ContextTokens | None = None
    watch_every: int = WATCH_EVERY


class Codec(ABC):
    """Encodes and decodes the tokens of one frame under a prior. It is immutable, so several threads may use one codec.
    `frame.lanes` is the number of lanes it uses; it may be below the number asked for."""

    #: whether it codes frames with a context
    reads_context = False

    def __init__(self, frame: Frame) -> None:
        """Raises TokpressError where the frame has a context that this codec does not read."""
        if frame.context is not None:
            if not self.reads_context:
                raise TokpressError("its prior reads no context: choose a model that predicts tokens one after another")
            frame = frame._replace(lanes=1)
        self.frame = frame

    @contextmanager
    def limits(self) -> Iterator[None]:
        """A context for computing: it limits threads to `frame.threads`, and those of BLAS to one."""
        with one_blas_thread(), at_most(self.frame.threads):
            yield

    @abstractmethod
    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        """Tokens [N] → payload."""

    @abstractmethod
    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        """Payload → `count` tokens. Raises ChecksumError where the payload is visibly damaged; other damage gives wrong tokens."""

    @abstractmethod
    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token [N]: what an ideal coder would charge."""

    @abstractmethod
    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> TokenBuffer:
        """Draw `count` tokens from p^(1/temperature). Raises ValueError unless 0 < temperature < ∞."""

    @abstractmethod
    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        """Sample `count` tokens by decoding random bits, of which each token uses about −log2 p.

        Raises ChecksumError where `noise` is too short."""

    @abstractmethod
    def stepped(self) -> list[Stepped]:
        """The priors that this codec steps; tests check their conditionals."""


class Stepped(Protocol):
    """The part of a prior that codecs step (`priors.base.SteppedPrior` explains each method)."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def rules(self) -> FrameRules: ...

    def init(self, lanes: int, tokens: int) -> Any: ...

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf: ...

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]: ...


def step(prior: Stepped, state: Any, previous: Tokens | None, rows: int) -> Pmf:
    """`prior.step`. Raises TokpressError where the result is not float32 [rows, V]."""
    pmf = prior.step(state, previous, rows)
    shape, dtype = getattr(pmf, "shape", None), getattr(pmf, "dtype", type(pmf).__name__)
    if dtype != "float32" or shape != (rows, prior.vocab_size):
        name = getattr(prior, "name", type(prior).__name__)
        size = "" if shape is None else f" {list(shape)}"
        raise TokpressError(
            f"step of the prior {name!r} returned {dtype}{size}: it should return float32 [rows, V] = "
            f"[{rows}, {prior.vocab_size}]"
        )
    return pmf


def check_temperature(temperature: float) -> None:
    """Raises ValueError unless it is a finite number above 0."""
    if not isinstance(temperature, Real) or not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be a number above 0, not {temperature!r}")
