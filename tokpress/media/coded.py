"""Files of raw samples as PNG or FLAC files: the way back from `compress --content`.

    PPM, PGM, TIFF …    PNG, by Pillow
    WAV                 FLAC, by soundfile

The new file has the same pixels or samples, which is verified, but not the bytes of the file that they once came from. Raises TokpressError
where such a file cannot hold them exactly.
"""

import io

import numpy as np

from ..errors import TokpressError
from . import formats, unwrap
from .reading import needed, reading

#: bits of a sample → subtype of a FLAC file
SUBTYPES = {"|u1": "PCM_S8", "<i2": "PCM_16", "|V3": "PCM_24"}


def coded(data: bytes, kind: str) -> bytes:
    """A file of raw samples as a file of this kind, "png" or "flac"."""
    samples = formats.find(data)
    wanted = {"png": "image", "flac": "sound"}[kind]
    if samples is None or samples.kind != wanted:
        content = {"image": "picture", "sound": "recording"}[wanted]
        raise TokpressError(f"it restores no {content} of raw samples: leave --to {kind} out")
    made = _png(data) if kind == "png" else _flac(data, samples.dtype)
    back = unwrap.shown(made).data
    again = formats.find(back)
    if again is None or not _equal(formats.values(data, samples), formats.values(back, again)):
        raise TokpressError(f"{kind.upper()} cannot hold its {wanted} exactly: leave --to {kind} out")
    return made


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def _png(data: bytes) -> bytes:
    image = needed("PIL.Image", "image")

    def write() -> bytes:
        with image.open(io.BytesIO(data)) as picture:
            profile, exif = picture.info.get("icc_profile"), picture.getexif()
            picture.save(out := io.BytesIO(), "png", icc_profile=profile, exif=exif or None)
            return out.getvalue()

    return bytes(reading("picture", write))


def _flac(data: bytes, dtype: str) -> bytes:
    soundfile = needed("soundfile", "sound")
    if (subtype := SUBTYPES.get(dtype)) is None:
        raise TokpressError("FLAC holds whole numbers of 8, 16 or 24 bits: leave --to flac out")

    def write() -> bytes:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="int32", always_2d=True)
        soundfile.write(out := io.BytesIO(), sound, rate, subtype, format="FLAC")
        return out.getvalue()

    return bytes(reading("recording", write))
