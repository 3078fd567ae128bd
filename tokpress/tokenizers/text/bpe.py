"""Byte-pair encoding: frequent neighbours become one symbol, so a prior takes fewer, larger steps.

Start from the 256 bytes; again and again give the most frequent pair of neighbouring symbols a symbol
of its own (Gage 1994, "A new algorithm for data compression"; for language models Sennrich, Haddow &
Birch 2016, "Neural machine translation of rare words with subword units", §3.2). To encode, replay the
merges in the order they were learned, inside pieces (`pieces.py`) that no merge crosses.

Byte b is written as the character chr(b) (Latin-1) in tokenizer.json, so Hugging Face `tokenizers` opens the file and gives the
same ids. The core encodes; where the file has another rule for pieces, the library does.

    source bytes ─pieces─► ─merges─► ids int32 [N] ─table of byte strings─► source bytes

`bpe_import` turns byte-level files of other origin (GPT-2, Llama 3, …) into the same form.

Raises TokenizerError: a file that is not a tokenizer or loses bytes; ids outside 0 … V−1.
"""

from __future__ import annotations

import json
from array import array
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import TokenizerError
from ...exact.threads import pool_can_start
from ...lazy import lazy, np
from ...storage.files import check_settings
from ...tokens import TokenBuffer, as_ids
from ..base import Config, Tokenizer
from ..sizes import ByTable
from . import bpe_form
from .merges import CUT_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer as HFTokenizer

FILE = "tokenizer.json"
#: bytes that the library encodes at once; its token objects take about 100 bytes per byte
BATCH_BYTES = 1 << 19


class PairSizes(ByTable):
    def __init__(self, tables: bpe_form.Tables) -> None:
        """tables: the words of all ids."""
        self._tables = tables

    @lazy
    def _lengths(self) -> NDArray[np.int64]:
        """[V]; 0 for an id without a token."""
        return np.asarray(self._tables.words()[0]).astype(np.int64)

    def source_length(self, tokens: TokenBuffer) -> int:
        return self._tables.length(as_ids(tokens))

    def possible_tokens(self, length: int) -> range:
        return range(-(-length // self._tables.longest), length + 1)

    def table(self) -> NDArray[np.int64]:
        return self._lengths


class BPETokenizer(Tokenizer):
    """Lossless BPE over bytes, from the text of a tokenizer.json whose alphabet is chr(0) … chr(255).

    >>> a, b, ab = ord("a"), ord("b"), 256
    >>> vocab = {chr(byte): byte for byte in range(256)} | {"ab": ab}
    >>> tokenizer = BPETokenizer(json.dumps({"model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]]}}))
    >>> tokenizer.encode(b"abba")
    array('i', [256, 98, 97])
    >>> tokenizer.decode([ab, b, a])
    b'abba'
    """

    name = "bpe"

    def __init__(self, text: str, where: str = FILE):
        """Raises TokenizerError where the file is not BPE over bytes, or may lose any."""
        self._text, self._where = text, where  # saved unchanged, so the hash of the file stays
        rules, self._tables = bpe_form.tables(text.encode("utf-8", "surrogatepass"), where)
        self._words_first = bool(rules["model"].get("ignore_merges"))
        #: whether we cut a source into pieces by the rule of the file, and not a library; decoding needs no pieces
        self.reproducible, self._classes = bpe_form.classes(rules.get("pre_tokenizer"))
        self.vocab_size: int = self._tables.vocab_size
        self.sizes = PairSizes(self._tables)

    def __reduce__(self) -> tuple[Any, ...]:
        return BPETokenizer, (self._text, self._where)

    @property
    def text(self) -> str:
        """The content of tokenizer.json."""
        return self._text

    @lazy
    def _library(self) -> HFTokenizer:
        """The library, which encodes where the core does not know the rule that cuts pieces."""
        from tokenizers import Tokenizer as HFTokenizer

        rules = bpe_form.checked(self._text.encode("utf-8"), self._where)
        with bpe_form.library_errors(
            self._where
        ):  # pass the checked rules, not the text, which the library may parse differently
            return HFTokenizer.from_str(json.dumps(rules))

    def encode(self, source: bytes) -> array[int]:
        """ids int32 [N], which decode to the source. Memory beyond source and ids is bounded.

        Raises TokenizerError where the library encodes, and its ids are not those of this source, or it fails."""
        if self.reproducible:
            return self._tables.encode(source, self._classes, self._words_first)
        return self._by_library(source)

    def _by_library(self, source: bytes) -> array[int]:
        view, ids = memoryview(source), array("i")
        for start in range(0, len(view), BATCH_BYTES):
            batch = view[start : start + BATCH_BYTES]
            texts = [str(batch[at : at + CUT_BYTES], "latin-1") for at in range(0, len(batch), CUT_BYTES)]
            with bpe_form.library_errors(self._where):
                if len(texts) == 1 or not pool_can_start():
                    encodings = [self._library.encode(text, add_special_tokens=False) for text in texts]
                else:
                    encodings = self._library.encode_batch_fast(texts, add_special_tokens=False)
            part = array("i", [id for encoding in encodings for id in encoding.ids])
            if self.decode(part) != batch:  # the library silently drops bytes that it cannot represent
                raise TokenizerError(
                    f"{self._where} does not give this source back: import its file with import_tokenizer"
                )
            ids += part
        return ids

    def decode(self, tokens: TokenBuffer) -> bytes:
        return self._tables.decode(as_ids(tokens))

    def token_bytes(self) -> list[bytes]:
        """[V]: the bytes of each token."""
        lengths, words = self._tables.words()
        ends = list(accumulate(lengths))
        return [words[end - length : end] for length, end in zip(lengths, ends)]

    def save(self, folder: Path) -> None:
        (Path(folder) / FILE).write_text(self._text, "utf-8", newline="")

    @classmethod
    def load(cls, folder: Path, config: Config) -> BPETokenizer:
        path = Path(folder) / FILE
        check_settings("a bpe tokenizer", config)
        return cls(bpe_form.read_text(path), str(path))
