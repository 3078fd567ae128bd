"""The pixels of a picture as a PPM or PGM file; with opacity as a TGA file; if none of them holds all, as an uncompressed TIFF file.

The pixels of a small picture take few bytes, so its header counts: that of TGA has 18 bytes, that of TIFF more than 100.
"""

import io
from collections.abc import Iterator
from typing import Any

from ..errors import TokpressError
from . import depth, formats, memory_limits, metadata
from .formats import tga
from .reading import Shown, needed, reading
from .signatures import recognised

#: bytes of pixels per copy
PIECE = 1 << 22
MODES = {1: "L", 3: "RGB", 4: "RGBA", 2: "LA"}


def picture(data: bytes, channels: int) -> Shown:
    """The picture of a file. channels: number of channels for a lossy tokenizer, 8 bits each; 0: all, exactly. Raises TokpressError."""
    raw = formats.find(data)
    if raw and (not channels or (raw.dtype == "|u1" and raw.shape[-1] == channels and data[:1] == b"P")):
        return Shown(data, "", [])  # it is such a file already
    image_module = needed("PIL.Image", "image")
    what = "picture" if recognised(data) else "picture or sound"
    with reading(what, lambda: image_module.open(io.BytesIO(data))) as picture:
        _check_size(picture, len(data))
        if reading("picture", lambda: getattr(picture, "n_frames", 1)) > 1:
            raise TokpressError(f"it holds {picture.n_frames} pictures; --content takes one")
        declared = reading("picture", lambda: depth.declared(picture, data))  # loading discards a part of it
        if not channels and declared.inexact:
            raise TokpressError(f"{declared.inexact}: leave --content out")
        if channels and declared.unscaled:
            raise TokpressError(f"{declared.unscaled}: convert it first")
        reading("picture", picture.load)
        if channels:
            plain = reading("picture", lambda: _of_channels(picture, channels, image_module))
            return Shown(*_plain(plain), _unseen(picture, data, channels, declared))
        return _exactly(picture, image_module)


def _check_size(picture: Any, size: int) -> None:
    """Raises TokpressError if the pixels take too much memory."""
    pixels = picture.width * picture.height
    if pixels > memory_limits.MAX_PIXELS:
        raise TokpressError(
            f"{picture.width} × {picture.height} pixels are too many: --content and --lossy take pictures of up to "
            f"{memory_limits.MAX_PIXELS:,}"
        )
    pixel_bytes = len(picture.getbands()) * (2 if _is_deep(picture) else 1)
    memory_limits.check(
        pixels * pixel_bytes, size, memory_limits.PICTURES.get(picture.format, memory_limits.DEFLATE), "pixels"
    )


def _exactly(picture: Any, image_module: Any) -> Shown:
    kept = reading("picture", lambda: metadata.kept(picture, image_module))
    mode = {"1": "L", "PA": "RGBA", "I": "I;16"}.get(picture.mode, picture.mode)
    if "transparency" in picture.info:
        mode = "RGBA"
    converted = reading("picture", lambda: picture if mode == picture.mode else picture.convert(mode))
    if not kept and converted.mode in ("L", "RGB"):
        return Shown(*_plain(converted), [])
    if not kept and converted.mode == "RGBA" and max(converted.size) <= tga.MAX_SIDE:
        return Shown(tga.header(*converted.size) + b"".join(_rows(converted, "BGRA")), ".tga", [])
    out = io.BytesIO()
    reading("picture", lambda: converted.save(out, "TIFF", compression="raw", strip_size=1 << 31, **kept))
    # not compared by Pillow alone, which rotates pixels by the orientation tag
    plain = out.getvalue()
    if not reading("picture", lambda: _is_same(converted, plain, image_module)):
        raise TokpressError(f"its pixels, {picture.mode}, are not stored exactly in a TIFF file: leave --content out")
    return Shown(plain, ".tif", [])


def _is_same(picture: Any, plain: bytes, image_module: Any) -> bool:
    """Whether a TIFF file holds these pixels."""
    samples = formats.find(plain)
    with image_module.open(io.BytesIO(plain)) as reopened:
        if reopened.mode != picture.mode or not samples or samples.shape[:2] != (picture.height, picture.width):
            return False
    at, view = samples.start, memoryview(plain)
    for rows in _rows(picture):
        if view[at : at + len(rows)] != rows:
            return False
        at += len(rows)
    return at == samples.stop


def _rows(picture: Any, order: str = "") -> Iterator[bytes]:
    """The pixels, a few rows at a time: `tobytes` of a whole picture would copy it. order: of the channels, if not the picture's."""
    step = max(1, PIECE // max(1, 4 * picture.width))
    for top in range(0, picture.height, step):
        yield picture.crop((0, top, picture.width, min(top + step, picture.height))).tobytes(
            "raw", order or picture.mode
        )


def _unseen(picture: Any, data: bytes, channels: int, declared: depth.Declared) -> list[str]:
    """What a lossy tokenizer of so many channels does not see."""
    opacity = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    grey = picture.mode in ("L", "LA", "1") or _is_deep(picture) or (picture.format == "PNG" and data[25] in (0, 4))
    losses = {
        "opacity, over black": opacity,
        "bits below 8": declared.bits > 8,
        "colour": channels == 1 and not grey,
        "inks, converted to RGB": channels == 3 and picture.mode == "CMYK",
        "colour profile": bool(picture.info.get("icc_profile")),
        "channels of no colour": declared.has_more,
    }
    return [what for what, holds in losses.items() if holds]


def _plain(picture: Any) -> tuple[bytes, str]:
    kind, suffix = (b"P5", ".pgm") if picture.mode == "L" else (b"P6", ".ppm")
    out = io.BytesIO()
    out.write(kind + f" {picture.width} {picture.height} 255\n".encode())
    for rows in _rows(picture):
        out.write(rows)
    return out.getvalue(), suffix


def _of_channels(picture: Any, channels: int, image_module: Any) -> Any:
    if channels not in (1, 3):
        raise TokpressError(f"pictures of {channels} channels cannot be converted: give raw pixels")
    if picture.mode == "LAB":  # which Pillow converts to RGB alone
        picture = picture.convert("RGB")
    plain = _upper_eight(picture, image_module) if _is_deep(picture) else on_black(picture, image_module)
    return plain.convert(MODES[channels])


def _is_deep(picture: Any) -> bool:
    return bool(picture.mode.startswith("I"))


def _upper_eight(picture: Any, image_module: Any) -> Any:
    """The upper 8 bits of 16-bit grey, which Pillow would clip. Transparent pixels become black."""
    import numpy as np

    values = np.asarray(picture)
    seen = (values >> 8).astype(np.uint8)
    if "transparency" in picture.info:
        seen[values == picture.info["transparency"]] = 0
    return image_module.fromarray(seen)


def on_black(picture: Any, image_module: Any) -> Any:
    """The picture without opacity. Transparent pixels become black."""
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return picture
    rgba = picture.convert("RGBA")
    return image_module.alpha_composite(image_module.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
