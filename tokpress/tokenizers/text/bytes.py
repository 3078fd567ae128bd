"""Bytes as tokens: a byte is one, two or eight symbols, the high bits first.

    bytes     V = 256    one symbol a byte
    nibbles   V = 16     two: four bits each
    top_bit   V = 128    two: the top bit, then the other seven bits
    bits      V = 2      eight, for pictures of one bit a pixel

Nibbles suit priors that compute a whole pmf from binary counters: 30 counters a byte instead of 255.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Self

from ...errors import TokenizerError
from ...storage.files import check_settings
from ...tokens import TokenBuffer, as_bytes
from ..base import Config, Tokenizer
from ..sizes import Units


def _checked(tokens: TokenBuffer, vocab_size: int) -> bytes:
    """A byte for each token. Raises TokenizerError on a token outside the vocabulary."""
    try:
        symbols = bytes(as_bytes(tokens))
    except ValueError:
        symbols = b""
    else:
        if not symbols.translate(None, bytes(range(vocab_size))):
            return symbols
    raise TokenizerError(f"a token lies outside 0 … {vocab_size - 1}")


class BytesTokenizer(Tokenizer):
    """
    >>> BytesTokenizer().encode(b"AB")
    array('B', [65, 66])
    """

    name = "bytes"
    vocab_size = 256
    sizes = Units(256)

    def encode(self, source: bytes) -> array[int]:
        return array("B", bytes(source))

    def decode(self, tokens: TokenBuffer) -> bytes:
        return _checked(tokens, 256)

    def token_bytes(self) -> list[bytes]:
        """[V]: the bytes of each token."""
        return [bytes([byte]) for byte in range(256)]

    @classmethod
    def load(cls, folder: Path, config: Config) -> BytesTokenizer:
        check_settings(f"a {cls.name} tokenizer", config)
        return cls()


class _InParts(Tokenizer):
    """A byte as groups of its bits, a token each, the highest bits first."""

    #: bits of each token of a byte
    parts: tuple[int, ...]

    def encode(self, source: bytes) -> array[int]:
        source, left = bytes(source), 8
        tokens = bytearray(len(source) * len(self.parts))
        for place, bits in enumerate(self.parts):
            left -= bits
            tokens[place :: len(self.parts)] = source.translate(_table(lambda byte: byte >> left & (1 << bits) - 1))  # noqa: B023
        return array("B", tokens)

    def decode(self, tokens: TokenBuffer) -> bytes:
        symbols, tokens_a_byte, left, total = _checked(tokens, self.vocab_size), len(self.parts), 8, 0
        if len(symbols) % tokens_a_byte:
            raise TokenizerError(
                f"{len(symbols):,} tokens are not a whole number of bytes: the tokenizer {self.name} has {tokens_a_byte} a byte"
            )
        for place, bits in enumerate(self.parts):
            left -= bits
            part = symbols[place::tokens_a_byte]
            if part.translate(None, bytes(range(1 << bits))):
                raise TokenizerError(f"token {place + 1} of a byte lies outside 0 … {(1 << bits) - 1}")
            total |= int.from_bytes(part.translate(_table(lambda token: token << left & 255)))  # noqa: B023
        return total.to_bytes(len(symbols) // tokens_a_byte)

    @classmethod
    def load(cls, folder: Path, config: Config) -> Self:
        check_settings(f"a {cls.name} tokenizer", config)
        return cls()


def _table(value: Callable[[int], int]) -> bytes:
    """A table [256] for `bytes.translate`."""
    return bytes(map(value, range(256)))


class NibblesTokenizer(_InParts):
    """
    >>> NibblesTokenizer().encode(b"A")
    array('B', [4, 1])
    """

    name = "nibbles"
    vocab_size = 16
    sizes = Units(16, unit_tokens=2)
    parts = (4, 4)


class TopBitTokenizer(_InParts):
    r"""
    >>> TopBitTokenizer().encode(b"\x83")
    array('B', [1, 3])
    """

    name = "top_bit"
    vocab_size = 128
    sizes = Units(128, unit_tokens=2)
    parts = (1, 7)


class BitsTokenizer(_InParts):
    """
    >>> BitsTokenizer().encode(b"A")
    array('B', [0, 1, 0, 0, 0, 0, 0, 1])
    """

    name = "bits"
    vocab_size = 2
    sizes = Units(2, unit_tokens=8)
    parts = (1,) * 8
