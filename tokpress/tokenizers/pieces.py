"""How byte strings are cut into pieces before byte-pair merges.

Merges never cross a piece boundary, so training and encoding stay linear in the corpus.
Bytes are mapped to the 256 characters of Latin-1 (byte b ↔ chr(b)); bytes ≥ 0x80, which in
UTF-8 text belong to letters far more often than not, count as letters.
"""

#: letters with one leading space │ up to three digits │ punctuation run │ white space
PIECE_PATTERN = (
    r" ?[A-Za-z\x{80}-\x{ff}]+"
    r"| ?[0-9]{1,3}"
    r"| ?[^\sA-Za-z0-9\x{80}-\x{ff}]+"
    r"|\s+"
)
