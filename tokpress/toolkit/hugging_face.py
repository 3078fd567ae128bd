"""A tokenizer.json that gives the same ids in the library `tokenizers`, for the same text.

tokpress's own tokenizer.json spells byte b as the character chr(b) of Latin-1, so the library reads its vocabulary, but takes each character
of a text for a byte. An exported file has two parts more:

    normalizer   text → its UTF-8 bytes in GPT-2's characters (ByteLevel) → the 68 of them above U+00FF as their Latin-1 characters
    decoder      the reverse

What cuts and merges is unchanged, so every text has the same ids. `words` and `chars` become BPE without merges, whose words are whole
pieces (`ignore_merges`). `bpe_import` takes the two parts away again.
"""

import json
from typing import Any

from ..errors import TokenizerError
from ..tokenizers.base import Tokenizer
from ..tokenizers.text.bpe import BPETokenizer
from ..tokenizers.text.bpe_import import TEXT_PARTS
from ..tokenizers.text.bytes import BytesTokenizer
from ..tokenizers.text.chars import CharsTokenizer
from ..tokenizers.text.listed import ListedTokenizer
from ..tokenizers.text.words import WordsTokenizer

#: top-level keys in the library's order
ORDER = (
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model",
)  # fmt: skip


def exported(tokenizer: Tokenizer) -> str:
    """The text of the file. Raises TokenizerError where the library has no such tokenizer.

    >>> from tokenizers import Tokenizer as HFTokenizer
    >>> HFTokenizer.from_str(exported(BytesTokenizer())).encode("é").ids == list("é".encode())
    True
    """
    if isinstance(tokenizer, BPETokenizer):
        content = json.loads(tokenizer.text)
    elif isinstance(tokenizer, BytesTokenizer):
        content = _pieces([], None)
    elif isinstance(tokenizer, WordsTokenizer | CharsTokenizer):
        content = _pieces(tokenizer.entries, _rule(tokenizer))
    else:
        raise TokenizerError(
            f"a {tokenizer.name} tokenizer has no form in the library tokenizers: export one of bpe, words, chars or bytes, "
            "or save its directory"
        )
    content = dict.fromkeys(ORDER) | {"version": "1.0", "added_tokens": []} | content | TEXT_PARTS
    return json.dumps({key: content[key] for key in ORDER}, ensure_ascii=False)


def _pieces(entries: list[bytes], rule: dict[str, Any] | None) -> dict[str, Any]:
    """BPE without merges: a piece in the vocabulary is a token, every other piece its bytes."""
    words = [*(bytes([byte]) for byte in range(256)), *entries]
    vocab = {word.decode("latin-1"): id for id, word in enumerate(words)}
    return {"pre_tokenizer": rule, "model": {"type": "BPE", "ignore_merges": True, "vocab": vocab, "merges": []}}


def _rule(tokenizer: ListedTokenizer) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": tokenizer.pattern}, "behavior": "Isolated", "invert": False}
