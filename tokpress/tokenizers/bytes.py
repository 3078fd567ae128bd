"""Bytes as tokens: one symbol per byte (V = 256), two nibbles (V = 16), a top bit and the rest (V = 128) or eight bits
(V = 2) per byte, high first.

Nibbles suit priors that compute a whole pmf from binary counters: 30 counters a byte instead of 255. Bits are what
packed black and white pictures consist of.
"""

from pathlib import Path

import numpy as np

from ..errors import TokenizerError
from ..model_files import check_settings
from ..types import Config, Tokenizer, Tokens


def _checked(tokens: Tokens, vocab_size: int) -> np.ndarray:
    tokens = np.asarray(tokens)
    if len(tokens) and (int(tokens.min()) < 0 or int(tokens.max()) >= vocab_size):
        raise TokenizerError(f"a token lies outside 0 … {vocab_size - 1}")
    return tokens.astype(np.uint8)


class BytesTokenizer(Tokenizer):
    """
    >>> BytesTokenizer().encode(b"AB")
    array([65, 66], dtype=int32)
    """

    name = "bytes"
    vocab_size = 256

    def encode(self, source: bytes) -> Tokens:
        return np.frombuffer(source, np.uint8).astype(np.int32)

    def decode(self, tokens: Tokens) -> bytes:
        return _checked(tokens, 256).tobytes()

    def token_bytes(self) -> np.ndarray:
        return np.ones(256, np.int64)

    @classmethod
    def load(cls, folder: Path, config: Config) -> "BytesTokenizer":
        check_settings(f"a {cls.name} tokenizer", config)
        return cls()


class _InTwo(Tokenizer):
    """A byte as its high bits and its `low_bits`, in that order: V = 2^low_bits."""

    unit_tokens = 2
    low_bits: int

    def encode(self, source: bytes) -> Tokens:
        data = np.frombuffer(source, np.uint8)
        return np.stack([data >> self.low_bits, data & (self.vocab_size - 1)], 1).ravel().astype(np.int32)

    def decode(self, tokens: Tokens) -> bytes:
        if len(tokens) % 2:
            raise TokenizerError(f"an odd number of tokens of the tokenizer {self.name} is no whole number of bytes")
        high, low = _checked(tokens, self.vocab_size).reshape(-1, 2).T
        if len(high) and int(high.max()) >> (8 - self.low_bits):
            raise TokenizerError(f"the first token of a byte lies outside 0 … {(1 << 8 - self.low_bits) - 1}")
        return (high << self.low_bits | low).tobytes()

    def token_bytes(self) -> np.ndarray:
        raise TokenizerError(f"it takes two tokens of the tokenizer {self.name} to make a byte")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "_InTwo":
        check_settings(f"a {cls.name} tokenizer", config)
        return cls()


class NibblesTokenizer(_InTwo):
    """
    >>> NibblesTokenizer().encode(b"A")
    array([4, 1], dtype=int32)
    """

    name = "nibbles"
    vocab_size = 16
    low_bits = 4


class TopBitTokenizer(_InTwo):
    r"""
    >>> TopBitTokenizer().encode(b"\x83")
    array([1, 3], dtype=int32)
    """

    name = "top_bit"
    vocab_size = 128
    low_bits = 7


class BitsTokenizer(Tokenizer):
    """
    >>> BitsTokenizer().encode(b"A")
    array([0, 1, 0, 0, 0, 0, 0, 1], dtype=int32)
    """

    name = "bits"
    vocab_size = 2
    unit_tokens = 8

    def encode(self, source: bytes) -> Tokens:
        return np.unpackbits(np.frombuffer(source, np.uint8)).astype(np.int32)

    def decode(self, tokens: Tokens) -> bytes:
        if len(tokens) % 8:
            raise TokenizerError("bits that are no multiple of eight are no whole number of bytes")
        return np.packbits(_checked(tokens, 2)).tobytes()

    def token_bytes(self) -> np.ndarray:
        raise TokenizerError("a bit is an eighth of a byte")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "BitsTokenizer":
        check_settings(f"a {cls.name} tokenizer", config)
        return cls()
