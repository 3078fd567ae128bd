"""Memory limits for coded pictures and sound: a small file can claim to hold gigabytes.

    decoded bytes  ≤  max(FREE, ratio · file bytes)

The ratio is the best that the format's coder can reach, but at most MAX_RATIO. A file with a higher ratio holds one colour or silence,
and --content would gain little. Files beyond the limit are refused before decoding.
"""

from ..errors import TokpressError

#: decoded bytes that any file may have
FREE = 1 << 26
#: Deflate: a match of 258 bytes takes two bits
DEFLATE = 1032
#: LZW: a code of 12 bits stands for up to 4096 pixels
LZW = 2731
#: Pillow's names → decoded bytes for a byte of the file; BMP: two bytes for a run of 255; QOI: one byte for 62 pixels; PNM: bits
PICTURES = {"PNG": DEFLATE, "GIF": LZW, "TIFF": DEFLATE, "WEBP": DEFLATE, "BMP": 128, "PPM": 8, "QOI": 248}
#: FLAC: 4,096 samples of silence in stereo take 14 bytes
SOUND = 1200
#: most decoded bytes per byte of any file
MAX_RATIO = 100
#: most pixels of a picture (Pillow's own limit is 179 million)
MAX_PIXELS = 1 << 27
#: most samples of a recording, over all channels
MAX_SAMPLES = 1 << 30


def check(decoded: int, file: int, ratio: int, what: str) -> None:
    """Raises TokpressError if a file of `file` bytes has too many decoded bytes."""
    ratio = min(ratio, MAX_RATIO)
    limit = max(FREE, ratio * file)
    if decoded > limit:
        raise TokpressError(
            f"its {what} take {decoded:,} bytes; the limit for a file of {file:,} bytes is {limit:,} "
            f"({FREE >> 20} MiB, or {ratio:,} times the file): leave --content and --lossy out"
        )
