"""Characters: one token for each frequent character of UTF-8 text.

The lecture's "a = 0, b = 1, c = 2": a small vocabulary, and many tokens. ASCII characters are their bytes; of the others the
most frequent are on the list (`listed.py`). The rest, and bytes that are not UTF-8, become a token for each byte.
"""

from .listed import ListedTokenizer

_TAIL = r"[\x{80}-\x{bf}]"
#: ASCII; the well-formed sequences (Unicode 15, table 3-7); any other byte
CHARACTER_PATTERN = (
    r"[\x{00}-\x{7f}]"
    rf"|[\x{{c2}}-\x{{df}}]{_TAIL}"
    rf"|\x{{e0}}[\x{{a0}}-\x{{bf}}]{_TAIL}|[\x{{e1}}-\x{{ec}}\x{{ee}}\x{{ef}}]{_TAIL}{{2}}|\x{{ed}}[\x{{80}}-\x{{9f}}]{_TAIL}"
    rf"|\x{{f0}}[\x{{90}}-\x{{bf}}]{_TAIL}{{2}}|[\x{{f1}}-\x{{f3}}]{_TAIL}{{3}}|\x{{f4}}[\x{{80}}-\x{{8f}}]{_TAIL}{{2}}"
    r"|[\x{80}-\x{ff}]"
)


class CharsTokenizer(ListedTokenizer):
    """
    >>> chars = CharsTokenizer.learn(["é à é ¿".encode()], 300)
    >>> chars.entries == ["é".encode()], chars.encode("aéà".encode()).tolist()
    (True, [97, 256, 195, 160])
    """

    name = "chars"
    pattern = CHARACTER_PATTERN
