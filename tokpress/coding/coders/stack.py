"""Asymmetric numeral systems (Duda 2013; Bamler 2022, §2.4): a stack of bits.

The last symbol pushed is the first one popped. Unlike with a range coder, every bit string is a valid code: popping from random bits
gives symbols distributed as the pmf, and pushing these symbols restores the bits. Bits-back coding and sampling from random bits rely on
it. A symbol has the interval [left, left + f) of 2^24 (`intervals`); the state has up to 64 bits:

    push   if state ≥ f · 2^40, append its low 32 bits to the words and shift them out
           state ← ⌊state / f⌋ · 2^24 + state mod f + left
    pop    q ← state mod 2^24; the symbol is the one whose interval holds q
           state ← ⌊state / 2^24⌋ · f + q − left;  if state < 2^32, shift the last word back in

constriction's AnsCoder does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ChecksumError
from ...lazy import np
from ...native import library, rows_coder
from ...tokens import Tokens
from ..base import Pmf
from .intervals import PRECISION, WHOLE, edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOW = (1 << 32) - 1


class Words:
    """A stack of words in Python: the twin of the core's `native.rows_coder.Stack`."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._words: list[int] = words.tolist()
        self._state = 0
        while self._words and self._state <= LOW:
            self._state = self._state << 32 | self._words.pop()

    def push(self, symbols: Tokens, pmf: Pmf) -> None:
        for symbol, row in zip(symbols[::-1], edges(pmf)[::-1]):
            left, size = int(row[symbol]), int(row[symbol + 1] - row[symbol])
            if self._state >> (64 - PRECISION) >= size:
                self._words.append(self._state & LOW)
                self._state >>= 32
            self._state = self._state // size << PRECISION | self._state % size + left

    def pop(self, pmf: Pmf) -> Tokens:
        symbols = np.zeros(len(pmf), np.int32)
        for i, row in enumerate(edges(pmf)):
            quantile = self._state & (WHOLE - 1)
            symbols[i] = symbol = int(np.searchsorted(row, quantile, side="right")) - 1
            left, size = int(row[symbol]), int(row[symbol + 1] - row[symbol])
            self._state = (self._state >> PRECISION) * size + quantile - left
            if self._words and self._state <= LOW:
                self._state = self._state << 32 | self._words.pop()
        return symbols

    def words(self) -> NDArray[np.uint32]:
        state = [self._state & LOW, self._state >> 32]
        return np.array(self._words + state[: (self._state > 0) + (self._state > LOW)], np.uint32)

    def count(self) -> int:
        return len(self.words())


class Stack:
    """
    >>> pmf = np.array([[0.5, 0.25, 0.25]] * 4, np.float32)
    >>> stack = Stack(); stack.push(np.array([2, 0, 1, 0], np.int32), pmf)
    >>> Stack(stack.finish()).pop(pmf)
    array([2, 0, 1, 0], dtype=int32)
    """

    def __init__(self, bits: bytes = b"", noise: bool = False) -> None:
        """bits: what `finish` returned, perhaps with zeros appended. noise: `bits` are any random bytes, and may run out."""
        if noise:
            bits = bits[: len(bits) // 4 * 4] + b"\1"  # the top word may not be 0
        bits = bits.rstrip(b"\0")  # only a padded payload (`proportion`) ends in 0
        words = np.frombuffer(bits + b"\0" * (-len(bits) % 4), "<u4").astype(np.uint32)
        self._noise = noise
        self._words = rows_coder.Stack(words) if library.is_here() else Words(words)

    def push(self, symbols: Tokens, pmf: Pmf) -> None:
        """Push symbols [n] under pmf [n, V]. Popping gives them in the same order."""
        self._words.push(symbols, pmf)

    def pop(self, pmf: Pmf) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where noise is too short."""
        symbols = self._words.pop(pmf)
        if self._noise and self._words.count() < 2:  # nothing but the state
            raise ChecksumError("the random bits are used up: give more of them")
        return symbols

    def is_empty(self) -> bool:
        """Whether nothing is left to pop."""
        return self._words.count() == 0

    def finish(self) -> bytes:
        """The stack as bytes, without the zero bytes at the end of its last word."""
        return self._words.words().astype("<u4").tobytes().rstrip(b"\0")
