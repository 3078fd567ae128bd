"""Sheets of reconstructions: what they show, and that edges of items leave no seams."""

import numpy as np
import pytest

from tokpress.training import sheets


def ramp(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return np.stack([4 * y, 3 * x, y + x], 2).astype(np.uint8)


def steps(picture: np.ndarray) -> np.ndarray:
    """Differences of neighbouring columns."""
    return np.abs(np.diff(picture.astype(np.int64), axis=1))


@pytest.mark.parametrize("shape", [(8, 8), (20, 27), (24, 16)])
def test_an_exact_decoder_gives_the_picture_back(shape):
    picture = ramp(*shape)
    assert np.array_equal(sheets.reconstructed(picture, (8, 8), lambda items: items), picture)


def test_no_seams_at_the_edges_of_items():
    """A decoder that gives each item its mean colour: cut side by side, the picture would jump at each edge."""
    picture = ramp(32, 32)

    def flat(items):
        return np.broadcast_to(items.mean((1, 2), keepdims=True), items.shape).astype(np.uint8)

    cut = np.block([[[flat(picture[None, y : y + 8, x : x + 8])[0]] for x in range(0, 32, 8)] for y in range(0, 32, 8)])
    assert steps(cut).max() == 24
    assert steps(sheets.reconstructed(picture, (8, 8), flat)).max() <= 6


def test_areas_are_of_one_shape_and_from_the_middle():
    large, small, items = ramp(50, 60), ramp(20, 40), np.stack([ramp(8, 8)] * 9)
    found = sheets.areas([large, small], (8, 8))
    assert [area.shape for area in found] == [(20, 24, 3)] * 2
    assert np.array_equal(found[0], large[15:35, 18:42])
    assert len(sheets.areas([items], (8, 8))) == sheets.COUNT and sheets.areas([], (8, 8)) == []


def test_a_sheet_is_enlarged(tmp_path):
    images = pytest.importorskip("PIL.Image")
    sheets.write(tmp_path / "sheet.png", [ramp(8, 8)] * 3, (8, 8), lambda items: items)
    with images.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 8 * 32 + 4, 2 * 8 * 32 + 2)
        pixels = np.asarray(sheet)
    assert np.array_equal(pixels[:256:32, :256:32], ramp(8, 8)) and np.array_equal(pixels[258::32, :256:32], ramp(8, 8))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
