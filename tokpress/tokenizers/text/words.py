"""Words: one token for each frequent word with the space before it, and for each frequent run of marks or white space.

The lecture's "car = 0, apple = 1, dog = 2": few tokens and a large vocabulary. A new word becomes a token for each byte
(`listed.py`). `pieces.py` says what a word is; `bpe` learns tokens between words and characters.
"""

import re

from .listed import ListedTokenizer
from .pieces import PIECE_PATTERN

#: Python writes \xff where the pattern's own language writes \x{ff}
_WORD = re.compile(re.sub(r"\\x\{(..)\}", r"\\x\1", PIECE_PATTERN).encode("ascii"))


class WordsTokenizer(ListedTokenizer):
    """
    >>> words = WordsTokenizer.learn([b"the cat saw the dog, the dog saw the cat"], 300)
    >>> words.encode(b"the dog saw a bat").tolist() == [*b"the", 258, 259, *b" a", *b" bat"]
    True
    >>> words.entries
    [b' the', b' cat', b' dog', b' saw']
    """

    name = "words"

    @staticmethod
    def pieces(source: bytes) -> list[bytes]:
        return _WORD.findall(source)
