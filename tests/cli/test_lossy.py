"""`compress --lossy` without a model of one's own: the shipped one, for pictures."""

import json
import wave

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")


def smooth(rows: int, columns: int) -> np.ndarray:
    """[rows, columns, 3]: a sky above a hill."""
    y, x = np.mgrid[0:rows, 0:columns] / 64.0
    hill = (y > 0.6 + 0.2 * np.sin(3 * x))[..., None]
    return (
        np.where(hill, [60, 110 + 40 * x[0, -1], 50], np.stack([90 + 60 * y, 130 + 50 * y, 220 - 20 * x], -1))
        .clip(0, 255)
        .astype(np.uint8)
    )


def test_a_picture(run, place):
    pixels = smooth(80, 150)
    Image.fromarray(pixels).save("p.png")
    said = run("compress", "--lossy", "p.png").stderr
    assert "PSNR" in said and "photo-tokens" in said
    run("decompress", "p.ppm.tokp")
    restored = np.asarray(Image.open("p.ppm")).astype(float)
    error = np.mean((restored - pixels) ** 2)
    assert restored.shape == pixels.shape and error < 255**2 / 10**2.2, "22 dB"
    assert (place / "p.ppm.tokp").stat().st_size < pixels.size / 20
    found = json.loads(run("info", "--json", "p.ppm.tokp").stdout)[0]
    assert found["restores"] == "reconstruction" and "photo-tokens" in [frame.get("model") for frame in found["frames"]]


def test_without_loss_the_source_comes_back(run, place):
    Image.fromarray(smooth(70, 70)).save("p.ppm")
    source = (place / "p.ppm").read_bytes()
    run("compress", "-m", "photo-tokens", "p.ppm")
    run("decompress", "-f", "p.ppm.tokp")
    assert (place / "p.ppm").read_bytes() == source


def test_what_is_no_picture(run, place):
    with wave.open("a.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(1000))
    assert "the model is for pictures, and this is sound" in run("compress", "--lossy", "a.wav", code=1).stderr
    assert "chooses among lossless models" in run("compress", "--lossy", "--fast", "a.wav", code=2).stderr
    assert not list(place.glob("*.tokp"))
