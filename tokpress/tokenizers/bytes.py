"""Bytes as tokens: one symbol per byte (V = 256), or two nibbles per byte, high first (V = 16).

Nibbles suit priors that compute a whole pmf from binary counters: 30 counters a byte instead of 255.
"""

from pathlib import Path

import numpy as np

from ..errors import TokenizerError
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
        return cls()


class NibblesTokenizer(Tokenizer):
    """
    >>> NibblesTokenizer().encode(b"A")
    array([4, 1], dtype=int32)
    """

    name = "nibbles"
    vocab_size = 16

    def encode(self, source: bytes) -> Tokens:
        data = np.frombuffer(source, np.uint8)
        return np.stack([data >> 4, data & 15], 1).ravel().astype(np.int32)

    def decode(self, tokens: Tokens) -> bytes:
        if len(tokens) % 2:
            raise TokenizerError("an odd number of nibbles is no whole number of bytes")
        pairs = _checked(tokens, 16).reshape(-1, 2)
        return (pairs[:, 0] << 4 | pairs[:, 1]).tobytes()

    def token_bytes(self) -> np.ndarray:
        raise TokenizerError("a nibble is half a byte")

    def source_length(self, tokens: Tokens) -> int:
        return len(tokens) // 2

    @classmethod
    def load(cls, folder: Path, config: Config) -> "NibblesTokenizer":
        return cls()
