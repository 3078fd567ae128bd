"""Netpbm's PGM (P5) and PPM (P6): a text header with columns, rows and the maximum, then the samples, rows from the top.

Values above 255 take two bytes, the high one first. Several pictures may follow each other; the first is found.
"""

import re

from .samples import Samples

#: numbers with white space or comments between them; one white space ends the header
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
