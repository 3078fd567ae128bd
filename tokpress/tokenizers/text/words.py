"""Words: one token for each frequent word with the space before it, and for each frequent run of marks or white space.

The lecture's "car = 0, apple = 1, dog = 2": few tokens and a large vocabulary. A new word becomes a token for each byte
(`listed.py`). `pieces.py` says what a word is; `bpe` learns tokens between words and characters.
"""

from .listed import ListedTokenizer
from .pieces import PIECE_PATTERN

#: white space of ASCII: in Latin-1 text, the \s of the library tokenizers has two characters more
WORD_PATTERN = PIECE_PATTERN.replace(r"[^\s", r"[^ \t-\r").replace(r"\s+", r"[ \t-\r]+")


class WordsTokenizer(ListedTokenizer):
    """
    >>> words = WordsTokenizer.learn([b"the cat saw the dog, the dog saw the cat"], 300)
    >>> words.encode(b"the dog saw a bat").tolist() == [*b"the", 258, 259, *b" a", *b" bat"]
    True
    >>> words.entries
    [b' the', b' cat', b' dog', b' saw']
    """

    name = "words"
    pattern = WORD_PATTERN
