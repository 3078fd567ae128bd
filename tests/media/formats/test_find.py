"""Samples are found where well-kept libraries wrote them, and nowhere else: any other file stays bytes."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokpress.media import formats
from tokpress.media.formats import tga

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def picture(mode: str, size: tuple[int, int], kind: str, **options) -> tuple[bytes, np.ndarray]:
    """(file, its pixels [rows, columns, channels])"""
    columns, rows = size
    channels = {"L": 1, "P": 1, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1}[mode]
    dtype = np.uint16 if mode == "I;16" else np.uint8
    pixels = RNG.integers(0, np.iinfo(dtype).max, (rows, columns, channels)).astype(dtype)
    made = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, None if mode != "CMYK" else "CMYK")
    if mode == "P":
        made = Image.fromarray(pixels[:, :, 0])
        made = made.quantize(256)
        pixels = np.asarray(made)[:, :, None]
    made.save(out := io.BytesIO(), kind, **options)
    return out.getvalue(), pixels


def shown(data: bytes) -> np.ndarray:
    """As a picture is looked at: rows from the top, red first."""
    found = formats.find(data)
    assert found is not None
    pixels = formats.values(data, found)
    pixels = pixels[::-1] if found.upside_down else pixels
    if found.blue_first:
        pixels = np.concatenate([pixels[:, :, 2::-1], pixels[:, :, 3:]], 2)
    return pixels


SIZES = [(1, 1), (7, 1), (1, 5), (6, 4), (33, 21)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "PPM"), ("RGB", "PPM"), ("I;16", "PPM"), ("L", "BMP"), ("RGB", "BMP"), ("P", "BMP"), ("RGBA", "BMP"),
     ("L", "TIFF"), ("RGB", "TIFF"), ("RGBA", "TIFF"), ("CMYK", "TIFF"), ("I;16", "TIFF")],
)  # fmt: skip
def test_pictures_of_pillow(mode, kind, size):
    data, pixels = picture(mode, size, kind)
    assert np.array_equal(shown(data), pixels)


@pytest.mark.parametrize("tail", [b"", b"LIST\x04\0\0\0abcd"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound(width, channels, tail):
    frames = RNG.bytes(21 * width * channels)
    with wave.open(out := io.BytesIO(), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(frames)
    data = out.getvalue() + tail
    found = formats.find(data)
    assert found is not None and found.kind == "sound" and found.shape == (21, channels)
    assert data[found.start : found.stop] == frames == formats.values(data, found).tobytes()
    cut = formats.find(data[: found.stop - 3])  # as a recorder leaves it that was cut off
    assert cut is not None and 0 <= found.stop - 3 - cut.stop < width * channels
    assert data[cut.start : cut.stop] == frames[: (cut.stop - cut.start)]


@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">i4", "<f4", "<f8"])
def test_arrays(dtype):
    array = RNG.integers(0, 99, (5, 4, 3)).astype(dtype)
    np.save(out := io.BytesIO(), array)
    found = formats.find(out.getvalue())
    assert found is not None and np.array_equal(formats.values(out.getvalue(), found), array)
    header = bytes([0, 0, 8, 2]) + struct.pack(">II", 5, 12)
    idx = header + array.astype(np.uint8).tobytes()
    found = formats.find(idx)
    assert found is not None and formats.values(idx, found).tobytes() == idx[12:]


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [("RGB", "TIFF", {"compression": "tiff_lzw"}), ("RGB", "PNG", {}), ("RGB", "JPEG", {}), ("L", "GIF", {})],
)
def test_what_is_compressed_stays_bytes(mode, kind, options):
    assert formats.find(picture(mode, (9, 9), kind, **options)[0]) is None


@pytest.mark.parametrize("size", SIZES)
def test_tga_with_opacity(size):
    pixels = RNG.integers(0, 256, (*size[::-1], 4)).astype(np.uint8)
    data = tga.header(*size) + pixels.tobytes()
    found = formats.find(data)
    assert found is not None and found.kind == "image" and found.blue_first
    assert np.array_equal(formats.values(data, found), pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels[..., [2, 1, 0, 3]])
    assert formats.find(data[:-1]) is formats.find(data + b"\0") is formats.find(data[:17]) is None


@pytest.mark.parametrize(("mode", "options"), [("RGB", {}), ("L", {}), ("P", {}), ("RGBA", {"compression": "tga_rle"})])
def test_other_tga_stays_bytes(mode, options):
    assert formats.find(picture(mode, (9, 9), "TGA", **options)[0]) is None


def test_unusual_arrays_stay_bytes():
    for array in (np.asfortranarray(np.ones((3, 4))), np.array(3), np.zeros((0, 4)), np.array([{}], object)):
        np.save(out := io.BytesIO(), array, allow_pickle=True)
        assert formats.find(out.getvalue()) is None


WHOLE = [picture("RGB", (5, 4), kind)[0] for kind in ("PPM", "BMP", "TIFF")] + [
    tga.header(5, 4) + bytes(range(80)),
    b"\0\0\x08\x01\0\0\0\x04abcd",
    b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\4\0\0\0abcd",
]


@given(st.sampled_from(WHOLE), st.data())
def test_broken_headers_never_raise(whole, data):
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    found = formats.find(bytes(broken))
    if found is not None:
        assert found.stop <= len(broken)
        formats.values(bytes(broken), found)
