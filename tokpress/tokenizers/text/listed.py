"""A list of byte strings that are tokens, beside the 256 bytes; other pieces become a token for each byte.

    source bytes ──pieces──► on the list: one token, 256 + its place │ not: a token for each byte ──► int32 [N]

`chars` and `words` differ in the rule that cuts pieces. The list is in tokenizer.json, as a Hugging Face `WordLevel` vocabulary of
Latin-1 strings (byte b ↔ chr(b)).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...errors import ModelError, TokenizerError
from ...storage.files import check_settings, parse, read
from ...tokens import TokenBuffer, Tokens
from ..base import Config, Tokenizer, in_vocabulary
from ..sizes import EachToken

FILE = "tokenizer.json"
#: packed token files hold 16 bits a token
MAX_VOCAB = 1 << 16
#: occurrences that put a piece on the list
MIN_COUNT = 2
MAX_PIECE_BYTES = 64


def _written(vocab: dict[str, int]) -> dict[str, Any]:
    """The content of tokenizer.json."""
    return {"version": "1.0", "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}}


@cache
def _compiled(pattern: str) -> re.Pattern[bytes]:
    r"""The pattern in Python's language, which writes \xff where the other writes \x{ff}."""
    return re.compile(re.sub(r"\\x\{(..)\}", r"\\x\1", pattern).encode("ascii"))


class ListedTokenizer(Tokenizer):
    """Final but for `name` and `pattern`."""

    def __init__(self, entries: list[bytes]) -> None:
        """Raises TokenizerError where an entry is repeated, too short or too long."""
        if len(set(entries)) < len(entries) or not all(2 <= len(entry) <= MAX_PIECE_BYTES for entry in entries):
            raise TokenizerError(f"the list should have each entry once, and entries of 2 to {MAX_PIECE_BYTES} bytes")
        if len(entries) + 256 > MAX_VOCAB:
            raise TokenizerError(f"a list of {len(entries):,} entries is too long; {MAX_VOCAB - 256:,} is the most")
        self.entries = entries
        self.vocab_size = 256 + len(entries)
        self._place = {entry: 256 + i for i, entry in enumerate(entries)}
        self._bytes = [bytes([b]) for b in range(256)] + entries
        self.sizes = EachToken([len(entry) for entry in self._bytes])

    #: regular expression of a piece, over bytes as Latin-1 characters, in the language of the library tokenizers: \x{ff}
    pattern: ClassVar[str]

    @classmethod
    def pieces(cls, source: bytes) -> list[bytes]:
        """The pieces of `source`, which joined are the source."""
        return _compiled(cls.pattern).findall(source)

    @classmethod
    def learn(cls, chunks: Iterable[bytes], vocab_size: int) -> "ListedTokenizer":
        """The most frequent pieces of the chunks (of two with one count, the lesser string)."""
        if not 256 <= vocab_size <= MAX_VOCAB:
            raise TokenizerError(f"vocab_size is {vocab_size}; give at least the 256 bytes, and at most {MAX_VOCAB}")
        counts: Counter[bytes] = Counter()
        for chunk in chunks:
            counts.update(cls.pieces(chunk))
        frequent = [p for p, n in counts.items() if n >= MIN_COUNT and 2 <= len(p) <= MAX_PIECE_BYTES]
        frequent.sort(key=lambda piece: (-counts[piece], piece))
        return cls(frequent[: vocab_size - 256])

    def encode(self, source: bytes) -> Tokens:
        out: list[int] = []
        for piece in self.pieces(source):
            token = self._place.get(piece)
            if token is None:
                out += piece
            else:
                out.append(token)
        return np.array(out, np.int32)

    def decode(self, tokens: TokenBuffer) -> bytes:
        return b"".join(map(self._bytes.__getitem__, in_vocabulary(tokens, self.vocab_size).tolist()))

    def save(self, folder: Path) -> None:
        vocab = {entry.decode("latin-1"): 256 + i for i, entry in enumerate(self.entries)}
        (Path(folder) / FILE).write_text(json.dumps(_written(vocab), indent=1) + "\n", "utf-8", newline="")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "ListedTokenizer":
        path = Path(folder) / FILE
        check_settings("a tokenizer of a list", config)
        try:
            content = parse(read(path) or b"", path)
            vocab, written = content["model"]["vocab"], _written({})
            if not isinstance(vocab, dict) or content != written | {"model": written["model"] | {"vocab": vocab}}:
                raise ValueError("it has other parts than a list of tokens")
            numbers = list(vocab.values())
            if set(map(type, numbers)) - {int} or sorted(numbers) != list(range(256, 256 + len(vocab))):
                raise ValueError("its numbers are not 256, 257 …")
            return cls([entry.encode("latin-1") for entry in sorted(vocab, key=vocab.__getitem__)])
        except (ModelError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TokenizerError(f"{path} is no list of tokens: {error}") from error
