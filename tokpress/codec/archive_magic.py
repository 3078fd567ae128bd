"""The bytes with which the source of an archive begins. A file of their own, so that decompressing a small file imports no archive code."""

MAGIC = b"tokpress archive 3\n"
