"""`Sizes`: source bytes of the tokens of a tokenizer.

EachToken    a token stands for a fixed number of bytes: byte pairs, words
Units        unit_tokens tokens make unit_bytes bytes: two nibbles a byte, a token a pixel, a grid of tokens a picture
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lazy import lazy, np
from ..tokens import TokenBuffer, as_array, count

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: tokens whose lengths are summed at once
BLOCK = 1 << 20


class Sizes(ABC):
    """Each method raises TokenizerError where a token is outside the vocabulary."""

    #: bytes and tokens of a unit, of which a source has a whole number (at most 8 tokens a byte)
    unit_bytes: int = 1
    unit_tokens: int = 1
    #: whether the length of a source is the sum of the lengths of its tokens: a decoder then counts bytes while it decodes
    additive: bool = False

    @abstractmethod
    def source_length(self, tokens: TokenBuffer) -> int:
        """Length of `Tokenizer.decode(tokens)`, without decoding."""

    @abstractmethod
    def possible_tokens(self, length: int) -> range:
        """Range of token counts for a source of `length` bytes. A frame with another count is refused before decoding."""

    @abstractmethod
    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        """[N]: source bytes of each token; those of a unit count for its last token."""

    @abstractmethod
    def average(self) -> NDArray[np.float64]:
        """[V]: average source bytes of each symbol; a nibble has half a byte."""


class ByTable(Sizes):
    """Abstract: each symbol stands for a fixed number of bytes, in a table."""

    additive = True

    @abstractmethod
    def table(self) -> NDArray[np.int64]:
        """[V]: bytes of each symbol."""

    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        return self.table()[as_array(tokens)]

    def average(self) -> NDArray[np.float64]:
        return self.table().astype(np.float64)


class EachToken(ByTable):
    """
    >>> EachToken([1, 2]).source_length([0, 1, 1])
    5
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        """lengths [V]: bytes of each symbol."""
        self._lengths = lengths

    @lazy
    def _table(self) -> NDArray[np.int64]:
        return np.asarray(self._lengths, np.int64)

    def source_length(self, tokens: TokenBuffer) -> int:
        tokens = as_array(tokens)
        return sum(int(self._table[tokens[at : at + BLOCK]].sum()) for at in range(0, len(tokens), BLOCK))

    def possible_tokens(self, length: int) -> range:
        shortest, longest = int(self._table.min()), max(int(self._table.max()), 1)
        return range(-(-length // longest), (length // shortest if shortest else 8 * length) + 1)

    def table(self) -> NDArray[np.int64]:
        return self._table


def equal_parts(length: int, parts: int) -> NDArray[np.int64]:
    """[parts]: a length in parts that are equal but for rounding to whole bytes."""
    return np.diff(np.arange(parts + 1) * length // max(parts, 1))


class Units(Sizes):
    """
    >>> Units(16, unit_tokens=2).possible_tokens(3)
    range(6, 7)
    """

    def __init__(self, vocab_size: int, unit_bytes: int = 1, unit_tokens: int = 1) -> None:
        self.vocab_size, self.unit_bytes, self.unit_tokens = vocab_size, unit_bytes, unit_tokens

    def source_length(self, tokens: TokenBuffer) -> int:
        return count(tokens) // self.unit_tokens * self.unit_bytes

    def possible_tokens(self, length: int) -> range:
        units, over = divmod(length, self.unit_bytes)
        return range(0) if over else range(units * self.unit_tokens, units * self.unit_tokens + 1)

    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        out = np.zeros(count(tokens), np.int64)
        out[self.unit_tokens - 1 :: self.unit_tokens] = self.unit_bytes
        return out

    def average(self) -> NDArray[np.float64]:
        return np.full(self.vocab_size, self.unit_bytes / self.unit_tokens)
