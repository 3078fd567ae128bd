"""Netpbm's PGM (P5) and PPM (P6): a text header with columns, rows and the maximum, then the samples, rows from the top.

If the maximum is above 255, a sample takes two bytes, the high one first. Only the first of several pictures is found.
"""

import re

from .samples import Samples

#: integers with white space or comments between them, and one white space at the end
_HEADER = re.compile(rb"P([56])((?:\s|#[^\n]*\n)+)(\d{1,9})((?:\s|#[^\n]*\n)+)(\d{1,9})((?:\s|#[^\n]*\n)+)(\d{1,5})\s")
MAX_HEADER = 1 << 12


def find(data: memoryview, size: int) -> Samples | None:
    header = _HEADER.match(bytes(data[:MAX_HEADER]))
    if not header:
        return None
    columns, rows, maximum = (int(header[i]) for i in (3, 5, 7))
    if not 0 < maximum < 1 << 16:
        return None
    channels, width = (3 if header[1] == b"6" else 1), 1 if maximum < 256 else 2
    start = header.end()
    return Samples(
        "image",
        start,
        start + rows * columns * channels * width,
        (rows, columns, channels),
        "|u1" if width == 1 else ">u2",
    )
