"""Byte-pair encoding by the core (core/bpe.c; `tokenizers.text.merges` is the twin)."""

import ctypes
from array import array
from typing import Any

from ..errors import TokenizerError
from . import library
from .handle import COUNT, POINTER, Handle

#: bytes a call encodes: a multiple of BPE_CUT of the core
BLOCK_BYTES = 1 << 22


class Tables(Handle):
    """The words and merges of a tokenizer.json. They never change: threads may share them."""

    kind = "bpe"

    def __init__(self, pointer: int, using: str | None):
        self.hold(pointer, using)
        sizes = (ctypes.c_int64 * 3)()
        self.function("sizes", POINTER, result=None)(pointer, sizes)
        self.vocab_size, self._word_bytes, self.longest = sizes

    @classmethod
    def read(cls, text: bytes, at: int, using: str | None = None) -> tuple["Tables", int] | None:
        """The tables whose vocabulary begins at text[at], and where their merges end; None where the core does not read them."""
        new = library.function("bpe_new", ctypes.c_char_p, COUNT, COUNT, POINTER, result=POINTER, using=using)
        result = (ctypes.c_int64 * 2)()
        handle = new(text, len(text), at, result)
        if handle:
            return cls(handle, using), result[1]
        if result[0] != library.ARGUMENT:
            library.checked(result[0])
        return None

    def words(self) -> tuple["array[int]", bytes]:
        """Lengths int32 [V], 0 where an id has no word, and all words one after another."""
        lengths, words = array("i", bytes(4 * self.vocab_size)), bytearray(self._word_bytes)
        code = self.function("words", POINTER, POINTER, result=None)
        code(self.pointer, library.writable(lengths)[0], library.writable(words)[0])
        return lengths, bytes(words)

    def encode(self, source: Any, classes: bytes | None, words_first: bool, at_once: int = BLOCK_BYTES) -> "array[int]":
        """The ids int32 [N] of a buffer. classes [256]: of each byte (`pieces.CLASSES`); None: a source is not cut into pieces.
        words_first: a piece that is a word becomes its id unmerged. at_once: bytes of one call, a multiple of BPE_CUT."""
        code = self.function("encode", ctypes.c_char_p, COUNT, POINTER, COUNT, POINTER, COUNT)
        pointer, size = library.address(source)
        start = ctypes.cast(pointer, POINTER).value or 0
        room = min(size, at_once)
        ids, block = array("i"), bytearray(4 * room)
        out, view = library.writable(block)[0], memoryview(block)
        for at in range(0, size, at_once):
            length = min(at_once, size - at)
            count = library.checked(code(self.pointer, classes, words_first, start + at, length, out, room))
            ids.frombytes(view[: 4 * count])
        return ids

    def length(self, ids: Any) -> int:
        """How many bytes `decode` gives. ids: a buffer of int32. Raises TokenizerError where one of them has no word."""
        pointer, size = library.address(ids)
        code = self.function("length", POINTER, COUNT)
        return self._checked(code(self.pointer, pointer, size // 4))

    def decode(self, ids: Any) -> bytes:
        """The words of ids, a buffer of int32, one after another. Raises TokenizerError where one of them has no word."""
        out = bytearray(self.length(ids))
        pointer, size = library.address(ids)
        code = self.function("decode", POINTER, COUNT, POINTER, COUNT)
        self._checked(code(self.pointer, pointer, size // 4, library.writable(out)[0], len(out)))
        return bytes(out)

    def _checked(self, result: int) -> int:
        if result == library.DAMAGED:
            raise TokenizerError(f"a token is none of this tokenizer's ids 0 … {self.vocab_size - 1}")
        return library.checked(result)
