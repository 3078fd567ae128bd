"""Memory limits for coded pictures and sound, since a small file can claim to hold gigabytes.

    decoded bytes  ≤  max(FREE, ratio · file bytes)

The ratio is the best that the format's coder can reach, but at most MAX_RATIO: a file that shrinks more holds one colour or
silence, which --content would hardly store smaller. Files beyond the limit are refused before anything is decoded.
"""

from ..errors import TokpressError

#: bytes that a file of any size may decode to
FREE = 1 << 26
#: Deflate: a match of 258 bytes takes two bits
DEFLATE = 1032
#: LZW: a code of 12 bits stands for up to 4096 pixels
LZW = 2731
#: Pillow's names → decoded bytes for a byte of the file; BMP: two bytes for a run of 255; QOI: one byte for 62 pixels; PNM: bits
PICTURES = {"PNG": DEFLATE, "GIF": LZW, "TIFF": DEFLATE, "WEBP": DEFLATE, "BMP": 128, "PPM": 8, "QOI": 248}
#: FLAC: 4,096 samples of silence in stereo take 14 bytes
SOUND = 1200
#: decoded bytes for a byte of any file
MAX_RATIO = 100
#: of one picture, whatever its file takes (Pillow's own limit is 179 million)
MAX_PIXELS = 1 << 27
#: of one recording, over all channels
MAX_SAMPLES = 1 << 30


def check(decoded: int, file: int, ratio: int, what: str) -> None:
    """Raises TokpressError where a file of so many bytes asks for too many decoded ones."""
    ratio = min(ratio, MAX_RATIO)
    limit = max(FREE, ratio * file)
    if decoded > limit:
        raise TokpressError(
            f"its {what} would take {decoded:,} bytes, more than the {limit:,} that a file of {file:,} bytes may take "
            f"({FREE >> 20} MiB, or {ratio:,} times the file): leave --content and --lossy out"
        )
