"""The contract of every codec, and of the priors that codecs step.

    codec = prior.codec(Frame(tokens=len(tokens), lanes=16))
    payload = codec.encode(tokens)
    codec.decode(payload, len(tokens))      the same tokens, in a buffer of either kind (`tokens.py`)
    codec.score(tokens)                     bits of each token, −log2 p; their sum is the payload's length, nearly

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..exact.threads import at_most, one_blas_thread
from ..tokens import TokenBuffer, Tokens
from .lanes import FrameRules

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..media.grid import Grid

    Pmf = NDArray[np.float32]  # [n, V], C-contiguous, every row sums to 1 within float32 rounding
else:
    Pmf = Any

#: hears the number of tokens done
Report = Callable[[int], None]
#: hears the tokens decoded since its last call, and may raise
Watch = Callable[[TokenBuffer], None]
#: A decoder calls its watch at least once in so many tokens, an encoder its report.
WATCH_EVERY = 1 << 12


def silent(done: int) -> None:
    """The default report."""


def unwatched(tokens: TokenBuffer) -> None:
    """The default watch."""


class Frame(NamedTuple):
    """Settings of one frame's codec.

    tokens: number of tokens; a prior may size tables by it. lanes: largest number of lanes (`lanes.Layout`). kernel: "auto" or
    a name of `exact.kernels`. threads: largest number of threads, 0 for one per processor. Kernel and threads change no bit.
    grid: where the samples lie in the source, for priors whose rules say `on_grid`. given: the tokens [M] of x where the prior
    is one of p(y | x), `given_size` for each item."""

    tokens: int
    lanes: int = 1
    kernel: str = "auto"
    threads: int = 0
    grid: Grid | None = None
    given: TokenBuffer | None = None


class Codec(ABC):
    """Encodes and decodes the tokens of one frame under a prior. It is immutable, so several threads may use one codec.
    `frame.lanes` is the number of lanes it uses, which may be below the number asked for."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    @contextmanager
    def limits(self) -> Iterator[None]:
        """While a method computes: the frame's number of threads, and one for BLAS."""
        with one_blas_thread(), at_most(self.frame.threads):
            yield

    @abstractmethod
    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        """Tokens [N] → payload."""

    @abstractmethod
    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        """Payload → `count` tokens. Raises ChecksumError where damage shows; damage that does not show gives other tokens."""

    @abstractmethod
    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each token [N]: what an ideal coder would charge."""

    @abstractmethod
    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> TokenBuffer:
        """Draw `count` tokens from p^(1/temperature). Raises ValueError unless 0 < temperature < ∞."""

    @abstractmethod
    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> TokenBuffer:
        """Sample `count` tokens by decoding random bits, of which each token uses about −log2 p.

        Raises ChecksumError where the bits are used up."""

    @abstractmethod
    def stepped(self) -> list[Stepped]:
        """The priors that this codec steps, for tests of their conditionals."""


class Stepped(Protocol):
    """The part of a prior that codecs step (`priors.base.SteppedPrior` explains each method)."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def rules(self) -> FrameRules: ...

    def init(self, lanes: int, tokens: int) -> Any: ...

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf: ...

    def step_block(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]: ...


def check_temperature(temperature: float) -> None:
    """Raises ValueError where it is no number above 0."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be a number above 0, not {temperature}")
