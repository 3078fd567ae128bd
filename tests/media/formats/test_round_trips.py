"""Files of raw samples, odd ones too, whole and cut off anywhere: every byte comes back."""

import io
import wave

import numpy as np
import pytest

import tokpress

Image = pytest.importorskip("PIL.Image")


def coded(pixels: np.ndarray, kind: str, mode: str | None = None, **options) -> bytes:
    Image.fromarray(pixels, mode).save(out := io.BytesIO(), kind, **options)
    return out.getvalue()


def ramp(*shape: int, dtype=np.uint8) -> np.ndarray:
    """Smooth, with some noise: worth predicting."""
    steps = np.add.outer(3 * np.arange(shape[0]), 2 * np.arange(shape[1]))
    steps = steps[..., None] + 9 * np.arange(shape[2]) if len(shape) == 3 else steps
    scale = np.iinfo(dtype).max // 256
    return ((steps + np.random.default_rng(0).integers(0, 4, shape)) % 256 * max(scale, 1)).astype(dtype)


def recording(width: int, channels: int, tail: bytes = b"") -> bytes:
    with wave.open(out := io.BytesIO(), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        t = np.arange(400 * channels) // channels
        samples = (np.sin(t / 9) * 100).astype(np.int64) + 128 * (width == 1)
        file.writeframes(
            b"".join(int(s << 8 * (width - 1)).to_bytes(4, "little", signed=True)[:width] for s in samples)
        )
    return out.getvalue() + tail


def four_inks() -> bytes:
    Image.frombytes("CMYK", (41, 30), ramp(30, 41, 4).tobytes()).save(out := io.BytesIO(), "TIFF")
    return out.getvalue()


def saved(array: np.ndarray) -> bytes:
    np.save(out := io.BytesIO(), array)
    return out.getvalue()


FILES = {
    "one pixel, PPM": lambda: coded(ramp(1, 1, 3), "PPM"),
    "one row, PPM": lambda: coded(ramp(1, 90, 3), "PPM"),
    "one column, BMP": lambda: coded(ramp(90, 1, 3), "BMP"),
    "grey, PGM": lambda: coded(ramp(30, 41), "PPM"),
    "16 bits, PGM": lambda: coded(ramp(30, 41, dtype=np.uint16), "PPM"),
    "16 bits, TIFF": lambda: coded(ramp(30, 41, dtype=np.uint16), "TIFF"),
    "palette, PNG": lambda: coded(ramp(30, 41), "PNG", bits=8),
    "padded rows, BMP": lambda: coded(ramp(30, 41, 3), "BMP"),
    "alpha, BMP": lambda: coded(ramp(30, 41, 4), "BMP"),
    "alpha, TIFF": lambda: coded(ramp(30, 41, 4), "TIFF"),
    "CMYK, TIFF": four_inks,
    "8 bits, WAV": lambda: recording(1, 1),
    "24 bits, WAV": lambda: recording(3, 2),
    "32 bits, WAV": lambda: recording(4, 1),
    "chunks behind, WAV": lambda: recording(2, 2, b"LIST\x04\0\0\0abcd"),
    "half a chunk behind, WAV": lambda: recording(2, 2, b"LIST\xff\0\0\0ab"),
    "array, NPY": lambda: saved(ramp(30, 41, 3)),
    "floats, NPY": lambda: saved(np.linspace(0, 1, 600).reshape(20, 30)),
    "idx": lambda: b"\0\0\x08\x03\0\0\0\x05\0\0\0\x1c\0\0\0\x1c" + ramp(140, 28).tobytes(),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", FILES)
def test_every_byte_comes_back(name):
    whole = FILES[name]()
    for data in (whole, whole[:-1], whole[: len(whole) // 2], whole[:30], whole + b"more"):
        assert tokpress.decompress(tokpress.compress(data)) == data
