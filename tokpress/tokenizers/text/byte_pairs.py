"""Byte-pair encoding from a tokenizer.json, with the standard library and the core alone.

`BPETokenizer` wraps it in numpy arrays and adds files with other pre-tokenizers. Ids here are `array("i")`, or any buffer of int32.
"""

from array import array
from typing import Any

from ...errors import TokenizerError
from . import bpe_form

FILE = "tokenizer.json"


class BytePairs:
    """Raises TokenizerError where the file is not BPE over bytes, or may lose any.

    >>> import json
    >>> ids = {chr(byte): byte for byte in range(256)} | {"ab": 256}
    >>> model = {"type": "BPE", "vocab": ids, "merges": [["a", "b"]]}
    >>> pairs = BytePairs(json.dumps({"model": model}).encode())
    >>> pairs.encode(b"abba")
    array('i', [256, 98, 97])
    >>> pairs.decode(array("i", [256, 98, 97]))
    b'abba'
    """

    def __init__(self, data: bytes, where: str = FILE):
        rules, self._tables = bpe_form.tables(data, where)
        self._data, self._where = data, where
        self._words_first = bool(rules["model"].get("ignore_merges"))
        #: whether `encode` cuts as the file says; decoding always works
        self.can_encode, self._classes = bpe_form.classes(rules.get("pre_tokenizer"))
        self.vocab_size: int = self._tables.vocab_size
        #: bytes of the longest word
        self.longest: int = self._tables.longest

    def __reduce__(self) -> tuple:
        return BytePairs, (self._data, self._where)

    def words(self) -> tuple[array, bytes]:
        """Lengths int32 [V], 0 where an id has no word, and all words one after another."""
        return self._tables.words()

    def encode(self, source: Any) -> array:
        """The ids of a buffer, which decode to it by the way they are made: no check is needed."""
        if not self.can_encode:
            raise TokenizerError(f"{self._where} has a pre_tokenizer that the core does not know; use BPETokenizer")
        return self._tables.encode(source, self._classes, self._words_first)

    def decode(self, ids: Any) -> bytes:
        """Raises TokenizerError where an id has no word."""
        return self._tables.decode(ids)

    def source_length(self, ids: Any) -> int:
        """Bytes that `decode` gives, without making them. Raises TokenizerError where an id has no word."""
        return self._tables.length(ids)
