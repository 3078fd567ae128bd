"""Characters: one token for each frequent character of UTF-8 text.

The lecture's "a = 0, b = 1, c = 2": a small vocabulary, and many tokens. ASCII characters are their bytes; of the others the
most frequent are on the list (`listed.py`). The rest, and bytes that are not UTF-8, become a token for each byte.
"""

import re

from .listed import ListedTokenizer

#: ASCII; the well-formed sequences (Unicode 15, table 3-7); any other byte
_CHARACTER = re.compile(
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
    rb"|[\x80-\xff]"
)


class CharsTokenizer(ListedTokenizer):
    """
    >>> chars = CharsTokenizer.learn(["é à é ¿".encode()], 300)
    >>> chars.entries == ["é".encode()], chars.encode("aéà".encode()).tolist()
    (True, [97, 256, 195, 160])
    """

    name = "chars"

    @staticmethod
    def pieces(source: bytes) -> list[bytes]:
        return _CHARACTER.findall(source)
