"""The rule that cuts byte strings into pieces before byte-pair merges.

Merges never cross a piece boundary, so training and encoding stay linear in the corpus.
Bytes are mapped to the 256 characters of Latin-1 (byte b ↔ chr(b)); bytes ≥ 0x80, which in
UTF-8 text belong to letters far more often than not, count as letters.

`cut` is the rule without regular expressions; `piece_end` in core/bpe.c is the same.
"""

from collections.abc import Iterator

#: letters with one leading space │ up to three digits │ punctuation run │ white space
PIECE_PATTERN = (
    r" ?[A-Za-z\x{80}-\x{ff}]+"
    r"| ?[0-9]{1,3}"
    r"| ?[^\sA-Za-z0-9\x{80}-\x{ff}]+"
    r"|\s+"
)
LETTER, DIGIT, OTHER, SPACE = 1, 2, 4, 8
DIGITS = 3


def _class(byte: int) -> int:
    # U+0085 and U+00A0 are letters here, and white space for \s of the pattern where no letter fits: after white space
    space = SPACE if byte in b"\t\n\v\f\r \x85\xa0" else 0
    if byte >= 0x80 or chr(byte).isalpha():
        return LETTER | space
    return DIGIT if chr(byte).isdigit() else space or OTHER


#: [256] the classes of each byte. A byte of two classes begins a run of the lower class, and continues a run of either
CLASSES = bytes(map(_class, range(256)))


def cut(source: bytes, classes: bytes = CLASSES) -> Iterator[bytes]:
    """The pieces of a byte string, in order.

    >>> list(cut(b"In 1984,  we "))
    [b'In', b' 198', b'4', b',', b'  ', b'we', b' ']
    """
    at = 0
    while at < len(source):
        start = at
        if source[at] == ord(" ") and at + 1 < len(source) and classes[source[at + 1]] & (LETTER | DIGIT | OTHER):
            at += 1
        kind = classes[source[at]] & -classes[source[at]]
        stop = min(at + DIGITS, len(source)) if kind == DIGIT else len(source)
        at += 1
        while at < stop and classes[source[at]] & kind:
            at += 1
        yield source[start:at]
