"""The range coder (Martin 1979) behind push and pop: its definition in Python integers.

A number in [0, 2^64) is narrowed symbol by symbol. With an interval [left, right) of 2^24 for the symbol (`intervals`):

    scale = range >> 24     lower ← lower + scale · left     range ← scale · (right − left)
    if range < 2^32, the top 32 bits of lower are final: write them, shift lower and range left by 32 bits

The payload is a number in the last range: its bytes, the highest first, without zeros at the end. The decoder keeps 64 bits of it in
`point`; (point − lower) / scale lies in the interval of the next symbol. One coder serves all lanes, time-major: a call codes the n live rows of one
step. constriction's queue coder narrows its range in the same way.

`range_encoder` and `range_decoder` return the core's coders (core/rows_coder.c) where the core is available, else these.
"""

from __future__ import annotations

import struct
from typing import Protocol

from ...errors import ChecksumError
from ...lazy import np
from ...native import library
from ...tokens import Tokens
from ..base import Pmf
from .intervals import PRECISION, WHOLE, edges

WORD = 32
MAX_STATE = (1 << 64) - 1
LOW = (1 << WORD) - 1
#: zero words that a decoder may read past the end: the encoder leaves out at most one, and the decoder reads two ahead
BEYOND = 4


class SymbolEncoder(Protocol):
    """The core's encoder and its twin."""

    def push(self, symbols: Tokens, pmf: Pmf) -> None: ...

    def finish(self) -> bytes: ...


class SymbolDecoder(Protocol):
    """The core's decoder and its twin."""

    def pop(self, pmf: Pmf) -> Tokens: ...


class RangeEncoder:
    """
    >>> pmf = np.full((2, 4), 0.25, np.float32)
    >>> encoder = RangeEncoder(); encoder.push(np.array([3, 1], np.int32), pmf)
    >>> RangeDecoder(encoder.finish()).pop(pmf)
    array([3, 1], dtype=int32)
    """

    def __init__(self) -> None:
        self._lower, self._range = 0, MAX_STATE
        self._words: list[int] = []

    def push(self, symbols: Tokens, pmf: Pmf) -> None:
        """symbols [n] int32, pmf [n, V]. Raises ValueError where a row is not a distribution, or a symbol is not below V."""
        rows = edges(pmf)
        if len(symbols) and not 0 <= int(np.min(symbols)) <= int(np.max(symbols)) < pmf.shape[1]:
            raise ValueError("a symbol outside the alphabet")
        for symbol, row in zip(symbols, rows, strict=True):
            self.narrow(int(row[symbol]), int(row[symbol + 1]))

    def narrow(self, left: int, right: int) -> None:
        """Narrow the range to the interval [left, right) of 2^24."""
        scale = self._range >> PRECISION
        self._lower += scale * left
        if self._lower > MAX_STATE:  # the carry may go through many words of ones
            self._lower &= MAX_STATE
            self._carry()
        self._range = scale * (right - left)
        if self._range <= LOW:
            self._words.append(self._lower >> WORD)
            self._lower, self._range = (self._lower << WORD) & MAX_STATE, self._range << WORD

    def _carry(self) -> None:
        at = len(self._words) - 1
        while at >= 0:
            self._words[at] = (self._words[at] + 1) & LOW
            if self._words[at]:
                return
            at -= 1

    def push_bit(self, bit: int, one: int) -> None:
        """Push a binary decision. one: probability of a one, in units of 2^-24."""
        self.narrow(*((0, one) if bit else (one, WHOLE)))

    def finish(self) -> bytes:
        """The payload: the number of the last range that ends in the most zero bytes. These bytes are not written.

        The range is above 2^32, so it always contains a number that ends in four zero bytes."""
        for used in range(5):
            zeros = MAX_STATE >> 8 * used
            point = (self._lower + zeros) & ~zeros
            if point - self._lower < self._range:
                break
        if point > MAX_STATE:
            self._carry()
        last = (point & MAX_STATE).to_bytes(8, "big")[:used]
        return b"".join(word.to_bytes(4, "big") for word in self._words) + last


class RangeDecoder:
    """The reverse of RangeEncoder. Damaged bytes may decode to wrong symbols; only a checksum shows it.

    If a header claims too many tokens, the decoder reads past the end of the payload and raises. Symbols that cost almost no bits
    delay this: decoding then takes the time of a whole frame, but not its memory."""

    def __init__(self, payload: bytes) -> None:
        padded = bytes(payload) + b"\0" * (-len(payload) % 4 + 4 * BEYOND)
        self._words: list[int] = [word for (word,) in struct.iter_unpack(">I", padded)]
        self._lower, self._range, self._next = 0, MAX_STATE, 2
        self._point = self._words[0] << WORD | self._words[1]

    def pop(self, pmf: Pmf) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where the payload is visibly damaged."""
        symbols = np.zeros(len(pmf), np.int32)
        for i, row in enumerate(edges(pmf)):
            symbol = int(np.searchsorted(row, self.target(), side="right")) - 1
            self.narrow(int(row[symbol]), int(row[symbol + 1]))
            symbols[i] = symbol
        return symbols

    def pop_bit(self, one: int) -> int:
        """Pop a binary decision; words that no encoder writes give zeros."""
        bit = int((self._point - self._lower) & MAX_STATE < (self._range >> PRECISION) * one)
        self.narrow(*((0, one) if bit else (one, WHOLE)))
        return bit

    def target(self) -> int:
        """A number in the interval of the next symbol. Raises ChecksumError where no encoder writes such words."""
        target = ((self._point - self._lower) & MAX_STATE) // (self._range >> PRECISION)
        if target >= WHOLE:
            raise ChecksumError("the coded words are damaged")
        return target

    def narrow(self, left: int, right: int) -> None:
        """Narrow the range to the interval of the symbol found. Raises ChecksumError where the words end before the symbols."""
        scale = self._range >> PRECISION
        self._lower = (self._lower + scale * left) & MAX_STATE
        self._range = scale * (right - left)
        if self._range <= LOW:
            if self._next >= len(self._words):
                raise ChecksumError("the coded words are damaged: they end before the tokens do")
            self._lower, self._range = (self._lower << WORD) & MAX_STATE, self._range << WORD
            self._point = (self._point << WORD) & MAX_STATE | self._words[self._next]
            self._next += 1


def range_encoder() -> SymbolEncoder:
    """The core's encoder, or its twin."""
    if library.is_here():
        from ...native import rows_coder

        return rows_coder.RangeEncoder()
    return RangeEncoder()


def range_decoder(payload: bytes) -> SymbolDecoder:
    """The core's decoder, or its twin."""
    if library.is_here():
        from ...native import rows_coder

        return rows_coder.RangeDecoder(payload)
    return RangeDecoder(payload)
