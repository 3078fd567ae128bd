"""Pictures and recordings beside their bits."""

import base64
import io

import numpy as np
import pytest

from tokpress.media.grid import Grid
from tokpress.pages import views


def pixels(view) -> np.ndarray:
    Image = pytest.importorskip("PIL.Image")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(view["png"]))))


def cells(view) -> np.ndarray:
    return np.frombuffer(base64.b64decode(view["bits"]), "<u2").reshape(-1, view["columns"]) / views.STEPS


def test_a_picture():
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 256, (5, 7, 3), np.uint8)
    rows = np.concatenate([shown.reshape(5, -1), np.zeros((5, 3), np.uint8)], 1)  # with padding
    source, grid = b"head" + rows.tobytes() + b"tail", Grid(True, 4, 5, 7, 3, 8, padding=3)
    per_byte = np.zeros(len(source), np.float32)
    costs = rng.random((5, 7, 3)) * 8
    np.lib.stride_tricks.as_strided(per_byte[4:], (5, 21), (24 * 4, 4))[:] = costs.reshape(5, 21)
    view = views.picture(source, per_byte, grid, False, False)
    assert np.array_equal(pixels(view), shown) and (view["width"], view["height"], view["side"]) == (7, 5, 1)
    assert np.allclose(cells(view), costs.sum(2), atol=1 / views.STEPS)
    assert view["places"] == [{"x": 0, "y": 0, "width": 7, "height": 5, "bits": round(float(costs.sum(2).mean()), 3)}]
    turned = views.picture(source, per_byte, grid, True, True)
    assert np.array_equal(pixels(turned), shown[::-1, :, ::-1])
    assert np.allclose(cells(turned), costs.sum(2)[::-1], atol=1 / views.STEPS)


def test_a_large_picture_in_cells():
    rows, columns = 900, 1300
    values = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    bits = np.zeros((rows, columns), np.float32)
    bits[640:672, 320:352] = 7
    view = views.picture(values.tobytes(), bits.reshape(-1), Grid(True, 0, rows, columns, 1, 8), False, False)
    found = cells(view)
    assert view["side"] == 2 and found.size <= views.CELLS and found.shape == (450, 650)
    assert found.sum() * 4 == pytest.approx(bits.sum()) and found[320, 160] == 7 and found[319, 160] == 0
    assert view["places"][0] == {"x": 320, "y": 640, "width": 32, "height": 32, "bits": 7.0}


def test_a_picture_that_is_cut_off_and_one_that_is_very_high():
    grid = Grid(True, 0, 5000, 3, 1, 8)
    assert views.picture(bytes(20), np.zeros(20), grid, False, False)["height"] == 6
    high = views.picture(bytes(15000), np.zeros(15000), grid, False, False)
    assert (high["height"], high["rows"]) == (views.ROWS, 5000)


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("little", [False, True])
def test_deep_pixels_are_stretched(bits, signed, little):
    numbers = np.array([[-3, 0], [5, 97]]) if signed else np.array([[3, 6], [11, 103]])
    data = b"".join(int(n).to_bytes(bits // 8, "little" if little else "big", signed=signed) for n in numbers.flat)
    view = views.picture(data, np.ones(len(data)), Grid(True, 0, 2, 2, 1, bits, signed, little), False, False)
    assert pixels(view).tolist() == [[0, 8], [20, 255]] and (cells(view) == bits // 8).all()


def test_a_recording():
    count = 2500
    left, right = (np.arange(count) % 200 - 100) * 300, np.full(count, 16384)
    data = np.stack([left, right], 1).astype("<i2").tobytes()
    per_byte = np.zeros(4 * count)
    per_byte[4000:4040] = 2  # samples 1000 … 1009
    view = views.sound(b"head" + data, np.append(np.zeros(4), per_byte), Grid(False, 4, 1, count, 2, 16, True, True))
    assert len(view["starts"]) == len(view["low"]) == len(view["high"]) == len(view["bits"]) == views.COLUMNS
    assert view["starts"][:3] == [0, 2, 5] and (view["samples"], view["of"], view["channels"]) == (count, count, 2)
    assert view["low"][0] == pytest.approx(-30000 / 32768, abs=1e-4) and set(view["high"]) >= {0.5}
    assert view["bits"][400:404] == [4, 4, 4, 4] and sum(view["bits"]) == 16 and view["top"] == 4
    assert sorted(view["places"][:4]) == [400, 401, 402, 403]


def test_a_short_recording_of_unsigned_bytes():
    view = views.sound(bytes([0, 128, 255, 1]), np.array([1.0, 2, 3, 4]), Grid(False, 0, 1, 9, 1, 8))
    assert view["low"] == view["high"] == [-1, 0, 0.9922, -0.9922] and view["bits"] == [1, 2, 3, 4]
    assert (view["samples"], view["of"]) == (4, 9) and view["places"] == [3, 2, 1, 0]
