"""PNG and FLAC: what compress says of them, and the way back from --content."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "1"])
def test_there_and_back_to_png(run, place, mode):
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    shape = (9, 12) if mode in ("L", "I;16", "P", "1") else (9, 12, len(mode))
    pixels = rng.integers(0, 256, shape).astype(np.uint16 if mode == "I;16" else np.uint8)
    picture = Image.fromarray(pixels)
    if mode == "P":
        picture.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
    picture = picture.convert("1") if mode == "1" else picture
    picture.save("a.png")
    run("compress", "-q", "--content", "a.png")
    (stored,) = Path().glob("a.*.tokp")
    run("decompress", "--to", "png", stored, code=1)  # a.png exists
    run("decompress", "-q", "--to", "png", "-o", "b.png", stored)
    with Image.open("a.png") as one, Image.open("b.png") as other:
        assert other.format == "PNG" and np.array_equal(
            np.asarray(one.convert("RGBA")), np.asarray(other.convert("RGBA"))
        )
        assert mode != "I;16" or np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_there_and_back_to_flac(run, place, subtype):
    soundfile = pytest.importorskip("soundfile")
    sound = np.random.default_rng(1).integers(-(2**31), 2**31, (500, 2), np.int32)
    soundfile.write("a.flac", sound, 8000, subtype)
    run("compress", "-q", "--content", "a.flac")
    run("decompress", "-q", "--to", "flac", "-o", "b.flac", "a.wav.tokp")
    (one, rate), (other, same_rate) = (soundfile.read(name, dtype="int32") for name in ("a.flac", "b.flac"))
    assert np.array_equal(one, other) and rate == same_rate and soundfile.info("b.flac").format == "FLAC"


def test_what_cannot_be_made(run, place):
    """No file is left behind."""
    pytest.importorskip("PIL.Image")
    with wave.open("a.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(200)))
    Path("text").write_bytes(b"text")
    Path("deep.ppm").write_bytes(b"P6 3 2 65535\n" + bytes(range(36)))  # Pillow reads the high bytes only
    run("compress", "-q", "a.wav", "text", "deep.ppm")
    for name, kind, message in (
        ("a.wav", "png", "restores no picture"), ("text", "png", "restores no picture"),
        ("text", "flac", "restores no recording"), ("deep.ppm", "png", "PNG cannot hold"),
    ):  # fmt: skip
        assert message in run("decompress", "-o", "out", "--to", kind, f"{name}.tokp", code=1).stderr
    assert not Path("out").exists()
    run("decompress", "--to", "png", "--rm", "text.tokp", code=2)


def test_compress_says_what_content_would_do(run, place):
    Image = pytest.importorskip("PIL.Image")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 40), (1, 2, 3)).save(name)
    said = run("compress", "-f", "a.png", "b.png").stderr
    assert said.count("--content stores its pixels") == 1 and "decompress --to png" in said
    Image.open("a.png").save(out := io.BytesIO(), "ppm")
    Path("c.ppm").write_bytes(out.getvalue())
    for words in (("-q", "a.png"), ("--content", "a.png"), ("c.ppm",)):
        assert "--content stores" not in run("compress", "-f", *words).stderr
