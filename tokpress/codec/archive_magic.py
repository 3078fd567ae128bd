"""The bytes with which the source of an archive begins, and which other versions share. A file of their own, so that decompressing a small
file imports no archive code."""

ANY_VERSION = b"tokpress archive "
MAGIC = ANY_VERSION + b"1\n"
