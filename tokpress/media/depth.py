"""The sample format that a picture file declares, and whether Pillow reads it exactly.

    declared(picture, data) ──► Declared(bits, inexact, unscaled)

Pillow shortens samples for which it has no mode (16 bits in colour become 8), clips 32 bits, and rescales a PGM file of 1000 levels. It
gives no warning. So the file's own header decides, before any pixel is read. `FORMATS` and `EXACT_TIFF` list the formats that Pillow
reads exactly; every other format counts as inexact.
"""

import re
import struct
from typing import Any, NamedTuple

import numpy as np

from .formats.pnm import MAX_HEADER
from .metadata import chunks

#: lossy formats, whose pixels take more bytes than the file
LOSSY_FORMATS = {"JPEG", "MPO", "JPEG2000", "AVIF"}
WITH_A_LOSS = "{} compression is lossy, so the pixels take more bytes than the file"
#: TIFF compression: none, three of fax, LZW, Deflate, PackBits, old Deflate, LZMA, Zstandard
LOSSLESS_TIFF = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000}
BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, CHANNELS, COLOUR_MAP, EXTRA, SAMPLE_FORMAT = (
    258,
    259,
    262,
    274,
    277,
    320,
    338,
    339,
)
#: of unsigned samples: (photometric interpretation, bits of each sample, extra samples) → Pillow's mode
EXACT_TIFF: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {
    **{(white, (bits,), ()): "L" for white in (0, 1) for bits in (2, 4, 8)},
    **{(white, (1,), ()): "1" for white in (0, 1)},
    **{(3, (bits,), ()): "P" for bits in (1, 2, 4, 8)},
    (1, (16,), ()): "I;16",
    (1, (8, 8), (2,)): "LA",
    (2, (8, 8, 8), ()): "RGB",
    (2, (8, 8, 8, 8), ()): "RGBA",
    (2, (8, 8, 8, 8), (2,)): "RGBA",
    (5, (8, 8, 8, 8), ()): "CMYK",
}
_GAP = rb"(?:\s|#[^\n]*\n)+"
_SIZE = rb"P([1-6])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)"
_PNM, _BITS = re.compile(_SIZE + _GAP + rb"(\d{1,5})\s"), re.compile(_SIZE + rb"\s")


class Declared(NamedTuple):
    #: largest number of bits of a sample
    bits: int
    #: why Pillow does not read the pixels exactly; "" if it does
    inexact: str = ""
    #: why the upper 8 bits of the samples are not available; "" if they are
    unscaled: str = ""
    #: whether there are channels of no colour, which Pillow does not read
    has_more: bool = False


def declared(picture: Any, data: bytes) -> Declared:
    """The sample format of a picture that Pillow has opened but not loaded."""
    if picture.format in LOSSY_FORMATS:
        return Declared(8, WITH_A_LOSS.format(picture.format))
    if picture.format in FORMATS:
        return FORMATS[picture.format](picture, data)
    return Declared(
        8,
        f"{picture.format} files are not known to be read exactly",
        f"its samples have Pillow's mode {picture.mode}, not 8 or 16 bits" if picture.mode[0] in "IF" else "",
    )


def _png(picture: Any, data: bytes) -> Declared:
    bits, colour, key = data[24], data[25], "tRNS" in dict(chunks(data, 8, ">I4s", 4))
    if bits == 16 and (colour or key):
        what = "in colour" if colour in (2, 6) else "with opacity"
        return Declared(bits, f"a PNG of 16 bits {what} would be shortened to 8")
    # Pillow scales the levels to 0 … 255, but not the transparent level; old versions ignore that of 1-bit pictures
    if key and not colour and bits < 8:
        return Declared(bits, f"the transparent level of a PNG of {bits} bits is not read exactly")
    return Declared(bits)


def _tiff(picture: Any, _: bytes) -> Declared:
    tags = picture.tag_v2
    bits, extra = _many(tags.get(BITS, 1)), _many(tags.get(EXTRA, ()))
    bits = bits * tags.get(CHANNELS, 1) if len(bits) == 1 else bits
    unsigned, deepest = set(_many(tags.get(SAMPLE_FORMAT, 1))) == {1}, max(bits)
    unscaled = "" if unsigned else "its samples are signed or floats, not unsigned"
    if deepest > 8 and (set(bits) != {16} or tags.get(PHOTOMETRIC) == 0):
        unscaled = unscaled or f"its samples have {deepest} bits and no known scale"
    mode = EXACT_TIFF.get((tags.get(PHOTOMETRIC), bits, extra))
    inexact = ""
    if tags.get(COMPRESSION, 1) not in LOSSLESS_TIFF:
        inexact = WITH_A_LOSS.format("TIFF")
    elif not unsigned or mode is None or picture.mode not in (mode, mode + "B"):  # "I;16B": the high byte first
        kind = "" if unsigned else ", signed or floats,"
        inexact = f"TIFF pixels of {len(bits)} × {deepest} bits{kind} are not read exactly"
    elif any(value & 255 not in (0, value >> 8) for value in _many(tags.get(COLOUR_MAP, ()))):
        inexact = "its palette has 16 bits per colour, which would be shortened to 8"
    elif tags.get(ORIENTATION, 1) != 1:
        inexact = "its orientation tag asks for a rotation, and Pillow rotates the pixels"
    return Declared(deepest, inexact, unscaled, has_more=0 in extra)


def _pnm(picture: Any, data: bytes) -> Declared:
    # the memory of a match grows with the header
    header = (_BITS if data[1:2] in b"14" else _PNM).match(data[:MAX_HEADER])
    if not header:
        unscaled = "its samples are floats, not of 8 or 16 bits" if picture.mode == "F" else ""
        return Declared(8, "this kind of PNM file is not known to be read exactly", unscaled)
    kind, columns, rows = header[1], int(header[2]), int(header[3])
    maximum = 1 if kind in b"14" else int(header[4])
    if kind in b"123":
        more = _numbers(data[header.end() :], alone=kind == b"1") - rows * columns * (3 if kind == b"3" else 1)
    else:
        row = -(-columns // 8) if kind == b"4" else columns * len(picture.getbands()) * (1 + (maximum > 255))
        more = len(data) - header.end() - rows * row
    inexact = (
        ""
        if maximum == 255 or kind in b"14" or (maximum == 65535 and kind in b"25")
        else f"its samples, 0 to {maximum}, would be rescaled"
    )
    if more:
        inexact = inexact or "its length does not fit the one picture in its header"
    return Declared(8 if maximum < 256 else 16, inexact)


def _numbers(body: bytes, alone: bool) -> int:
    """Number of integers in a text with white space and comments. alone: each digit is an integer."""
    values = np.frombuffer(re.sub(rb"#[^\n]*", b"", body), np.uint8)
    digit = ~np.isin(values, np.frombuffer(b" \t\n\r\v\f", np.uint8))
    return int(digit.sum() if alone else (digit[1:] & ~digit[:-1]).sum() + digit[:1].sum())


def _webp(_: Any, data: bytes) -> Declared:
    names = dict(chunks(data, 12, "<4sI", even=True))
    return Declared(8, "" if "VP8L" in names and "VP8 " not in names else WITH_A_LOSS.format("WEBP"))


def _bmp(_: Any, data: bytes) -> Declared:
    (bits,) = struct.unpack_from("<H", data, 24 if data[14] == 12 else 28)
    return Declared(8, "a BMP of 16 bits a pixel would be rescaled to 24" if bits == 16 else "")


FORMATS = {
    "PNG": _png,
    "TIFF": _tiff,
    "PPM": _pnm,
    "WEBP": _webp,
    "BMP": _bmp,
    "GIF": lambda *_: Declared(8),
    "QOI": lambda *_: Declared(8),
}


def _many(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,)
