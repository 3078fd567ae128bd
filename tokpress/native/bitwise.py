"""Bitwise coding of tokens in the core (core/bitwise.c), which mixes the prediction of `text.Text` with others, bit by bit.

The twin is `priors.text.bitwise`. Nothing here imports numpy.
"""

import ctypes
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import library
from .handle import COUNT, POINTER, SavedHandle
from .text import Model, Text

#: `BitwiseFrame.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
#: 2^16 / temperature, at most
SHARPEST = 1 << 32


#: bytes of a token, at most
LONGEST = 32


def are_spelled(token_bytes: Sequence[bytes]) -> bool:
    """Whether the tokens are different strings of 1 to `LONGEST` bytes."""
    return len(set(token_bytes)) == len(token_bytes) and all(1 <= len(token) <= LONGEST for token in token_bytes)


class TokenTable:
    """The bytes of all tokens in the core's layout. symbols, token_bytes [V]: the symbol at each place, and its bytes. Places are those of
    the classes where the model is class-factored.

    Raises ValueError if two tokens have the same bytes, or a token has not 1 to 32 bytes."""

    def __init__(self, symbols: Sequence[int], token_bytes: Sequence[bytes]) -> None:
        if not are_spelled(token_bytes):
            raise ValueError(f"bitwise coding needs tokens that are different strings of 1 to {LONGEST} bytes")
        sizes = [len(token) for token in token_bytes]
        self.symbols = (ctypes.c_int32 * len(symbols))(*symbols)
        self.sizes = (ctypes.c_int32 * len(sizes))(*sizes)
        self.bytes = b"".join(token_bytes)

    def made_of(self) -> Iterator[bytes]:
        """Buffers with all that it was made of."""
        yield from (bytes(self.symbols), bytes(self.sizes), self.bytes)


#: rows of weights that are not of a node; numbers in a row; counters of contexts, and of matches
ROWS, IN_A_ROW, COUNTERS, MATCHED = 5 * (32 + 256 + 256 + 16), 32, (5, 13, 256), (16, 32, 2)


def rows_of_weights(symbols: int) -> int:
    """Rows of primed weights of a mixer that codes V symbols: without the nodes of the last decision."""
    return ROWS + (1 << ((symbols - 1).bit_length() - 1))


class Primed:
    """Where mixing begins, in the core's layout: contiguous buffers of int8 weights [R, 32] and uint16 counters and matches (the tensors of
    `priors.text.priming`), which are not copied."""

    def __init__(self, weights: Any, counters: Any, matched: Any) -> None:
        self.parts = weights, counters, matched
        self._kept = [library.address(part) for part in self.parts]
        self.addresses = (POINTER * 3)(*(ctypes.cast(pointer, POINTER) for pointer, _ in self._kept))
        self.weight_count = self._kept[0][1]


class Mixing:
    """What mixing has learned: int16 weights, uint32 counters and matches, to begin another frame with."""

    def __init__(self, symbols: int) -> None:
        self.weights = array("h", bytes(2 * rows_of_weights(symbols) * IN_A_ROW))
        self.counters = array("I", bytes(4 * math.prod(COUNTERS)))
        self.matched = array("I", bytes(4 * math.prod(MATCHED)))

    @property
    def addresses(self) -> list[Any]:
        return [library.writable(part)[0] for part in (self.weights, self.counters, self.matched)]


class BitwiseFrame(SavedHandle):
    """The state of one frame of `tokens` tokens in `lanes` lanes."""

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
        primed: Primed | None = None,
    ) -> None:
        self._token_bytes, self._primed = token_bytes, primed
        self.text = Text(model, lanes, tokens, threads, using, free)
        self.create(  # freed before the text model
            [*[POINTER] * 4, COUNT, POINTER, COUNT],
            self.text.pointer, token_bytes.symbols, token_bytes.sizes, token_bytes.bytes, len(token_bytes.bytes),
            primed and primed.addresses, primed.weight_count if primed else 0,
            using=using,
        )  # fmt: skip

    def mixing(self, into: Mixing) -> None:
        """Store what mixing has learned."""
        self.call("mixing", [POINTER] * 3, *into.addresses)

    def begin(self, mixing: Mixing) -> None:
        """Begin with what mixing has learned in another frame. Raises CoreError once a token is coded."""
        self.call("begin", [POINTER] * 3, *mixing.addresses)

    def made_of(self) -> Iterator[Any]:
        yield from self.text.made_of()
        yield from self._token_bytes.made_of()
        yield from self._primed.parts if self._primed else ()

    def learn(self, context: Any) -> None:
        self.text.learn(context, self)

    def resume(self, context: Any, state: bytes) -> None:
        self.text.begin_after(context)
        self._take_up(state)
        self.text.skip_context()

    def restore(self) -> None:
        super().restore()
        self.text.skip_context()

    def encode(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> bytes:
        """The payload of tokens, N int32, contiguous. Calls `report` with the number of coded tokens. Raises CoreError for
        symbols outside V."""
        pointer = self.text.token_pointer(tokens)
        self.text.in_blocks(lambda steps: self.call("encode", [POINTER, COUNT], pointer, steps), report)
        return self.text.finish()

    def score(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> Any:
        """The cost of each of N tokens, N int64 in units of 2^-20 bits."""
        pointer, costs = self.text.token_pointer(tokens), (ctypes.c_int64 * self.text.tokens)()
        kinds = [POINTER, COUNT, POINTER]
        self.text.in_blocks(lambda steps: self.call("score", kinds, pointer, steps, costs), report)
        return costs if not self.text.first else costs[self.text.first : self.text.stop]

    def start(self, payload: bytes) -> None:
        """Set the payload that `decode` reads."""
        self.text.start(payload)

    def decode(self, out: Any, steps: int, sharpness: int = 1 << 16) -> None:
        """Write the next steps to out, lanes · steps int32. Cells without a token keep their value. sharpness: 2^16 /
        temperature if the payload is noise. Raises ChecksumError if the payload is damaged."""
        target, size = library.writable(out)
        if size != 4 * self.text.lanes * steps:
            raise ValueError(
                f"{steps} steps of {self.text.lanes} lanes need {4 * self.text.lanes * steps} bytes, not {size}"
            )
        self.text.share()
        self.call("decode", [POINTER, COUNT, COUNT], target, steps, sharpness)
        self.text.advance(steps)
