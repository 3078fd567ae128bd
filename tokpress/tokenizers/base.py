"""The contract of every tokenizer: source bytes to tokens and back.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──SteppedPrior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..errors import TokenizerError
from ..tokens import TokenBuffer, Tokens, as_array
from .sizes import Sizes

Config = dict[str, Any]  # of config.json: plain JSON values


def encoded(tokenizer: Tokenizer, source: bytes) -> TokenBuffer:
    """`tokenizer.encode`. Raises TokenizerError where the result is no buffer of integers."""
    tokens = tokenizer.encode(source)
    dtype = getattr(tokens, "dtype", None)
    integers = getattr(tokens, "typecode", "i") not in "fd" if dtype is None else dtype.kind in "iu"
    if not integers or not hasattr(tokens, "__len__"):
        what = type(tokens).__name__ if dtype is None else dtype
        raise TokenizerError(
            f"encode of the tokenizer {tokenizer.name!r} returned {what}: it should return a buffer of int32"
        )
    return tokens


def in_vocabulary(tokens: TokenBuffer, vocab_size: int) -> Tokens:
    """Tokens [N] as an array. Raises TokenizerError on a token outside 0 … V−1."""
    array = as_array(tokens)
    if len(array) and (int(array.min()) < 0 or int(array.max()) >= vocab_size):
        raise TokenizerError(f"a token lies outside 0 … {vocab_size - 1}")
    return array


class Tokenizer(ABC):
    """Turns bytes into tokens and back: decode(encode(b)) == b for every byte string b, unless it is lossy."""

    name: str
    vocab_size: int
    #: source bytes of tokens
    sizes: Sizes
    #: whether decode(encode(b)) is b; else it is a reconstruction, as long as b and with the same tokens
    lossless: bool = True
    #: whether it makes the same tokens everywhere, in each release: decoders tokenize contexts and given files
    reproducible: bool = True

    @abstractmethod
    def encode(self, source: bytes) -> TokenBuffer:
        """Bytes → a buffer of int32, or of uint8 where V ≤ 256 (`tokens.py`)."""

    @abstractmethod
    def decode(self, tokens: TokenBuffer) -> bytes:
        """A buffer of either kind → bytes. Raises TokenizerError on a token outside 0 … V−1."""

    def safe_prefix(self, source: bytes) -> int:
        """Length of the longest prefix whose tokens do not depend on later bytes: frames, and pieces of a corpus, end there. By default the
        whole source."""
        return len(source)

    def config(self) -> Config:
        """JSON settings from which `load` rebuilds this tokenizer, beside the files that `save` wrote."""
        return {}

    def save(self, folder: Path) -> None:
        """Write the data that config() does not hold. Nothing by default."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: Config) -> Tokenizer:
        """The tokenizer with these settings and files. Raises TokenizerError where they are damaged."""
