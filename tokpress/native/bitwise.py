"""Bitwise coding of tokens in the core (core/bitwise.c): `text.Text` predicts a token, whose binary digits are mixed and coded.

The twin is `priors.text.bitwise`. Nothing here imports numpy.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from . import library
from .handle import COUNT, POINTER, Handle
from .text import Model, Text

#: `BitwiseFrame.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
#: 2^16 / temperature, at most
SHARPEST = 1 << 32


class TokenTable:
    """The tokens' bytes as the core takes them, in order of their bytes.

    Raises ValueError where two tokens have the same bytes, or not 1 to 32 bytes."""

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        ranked = sorted(range(len(token_bytes)), key=token_bytes.__getitem__)
        sizes = [len(token_bytes[v]) for v in ranked]
        if len(set(token_bytes)) < len(token_bytes) or not all(1 <= size <= 32 for size in sizes):
            raise ValueError("tokens that are coded bit by bit are different strings of 1 to 32 bytes")
        self.symbols = (ctypes.c_int32 * len(ranked))(*ranked)
        self.sizes = (ctypes.c_int32 * len(ranked))(*sizes)
        self.bytes = b"".join(token_bytes[v] for v in ranked)


class BitwiseFrame(Handle):
    """The state of one frame of `tokens` tokens in `lanes` lanes, under a model that is not class-factored."""

    kind = "bitwise"

    def __init__(
        self,
        model: Model,
        token_bytes: TokenTable,
        lanes: int,
        tokens: int,
        threads: int = 1,
        using: str | None = None,
        free: Callable[[], int] | None = None,
    ) -> None:
        self.text = Text(model, lanes, tokens, threads, using, free)
        new = library.function("bitwise_new", *[POINTER] * 4, COUNT, POINTER, using=using)
        handle = POINTER()
        result = new(
            self.text.pointer,
            token_bytes.symbols,
            token_bytes.sizes,
            token_bytes.bytes,
            len(token_bytes.bytes),
            ctypes.byref(handle),
        )
        library.checked(result)
        self.hold(handle.value, using)  # freed before the text model

    def encode(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> bytes:
        """tokens: N int32, contiguous → the payload. `report` hears how many are done. Raises CoreError for symbols
        outside V."""
        pointer = self.text.token_pointer(tokens)
        self.text.in_blocks(lambda steps: self.call("encode", [POINTER, COUNT], pointer, steps), report)
        return self.text.finish()

    def score(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> Any:
        """What each of N tokens costs, N int64 in units of 2^-20 bits."""
        pointer, costs = self.text.token_pointer(tokens), (ctypes.c_int64 * self.text.tokens)()
        kinds = [POINTER, COUNT, POINTER]
        self.text.in_blocks(lambda steps: self.call("score", kinds, pointer, steps, costs), report)
        return costs

    def start(self, payload: bytes) -> None:
        """What `decode` reads."""
        self.text.start(payload)

    def decode(self, out: Any, steps: int, sharpness: int = 1 << 16) -> None:
        """The next steps into out: lanes · steps int32; cells of a lane without a token are left. sharpness: 2^16 /
        temperature where the payload is noise. Raises ChecksumError."""
        target, size = library.writable(out)
        if size != 4 * self.text.lanes * steps:
            raise ValueError(f"{size} bytes have no room for {steps} steps of {self.text.lanes} lanes")
        self.text.share()
        self.call("decode", [POINTER, COUNT, COUNT], target, steps, sharpness)
        self.text.advance(steps)
