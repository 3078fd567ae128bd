"""Linear prediction in the core against its definition, bit for bit, and against damage."""

import random
from functools import cache

import pytest

from tokpress.errors import ChecksumError
from tokpress.media.grid import Grid
from tokpress.native import linear_prediction
from tokpress.native.library import CoreError
from tokpress.priors.linear_prediction import codec

GRIDS = {
    "grey": Grid(True, 3, 8, 20, 1, 8),
    "colour": Grid(True, 5, 6, 17, 3, 8, padding=3),
    "four channels": Grid(True, 0, 5, 9, 4, 8),
    "eight channels": Grid(True, 0, 4, 9, 8, 8),
    "one column": Grid(True, 0, 40, 1, 3, 8),
    "16 bits": Grid(True, 2, 7, 17, 1, 16),
    "16 bits colour": Grid(True, 2, 4, 12, 3, 16, little=True),
    "mono": Grid(False, 44, 1, 200, 1, 16, signed=True, little=True),
    "stereo": Grid(False, 44, 1, 90, 2, 16, signed=True, little=True),
    "24 bits": Grid(False, 1, 1, 100, 1, 24, signed=True, little=True),
    "32 bits": Grid(False, 1, 1, 100, 1, 32, signed=True),
    "sound in rows": Grid(False, 1, 3, 30, 2, 8, padding=2),
    "8 bits": Grid(False, 1, 1, 60, 3, 8),
}


def source(grid: Grid, kind: str, seed: int = 1) -> bytes:
    """Bytes that a grid fits: noise, one value, or a walk whose steps are a hundredth of the range and sometimes a jump."""
    draw = random.Random(seed)
    out = bytearray(draw.randbytes(grid.stop + 5))
    if kind == "noise":
        return bytes(out)
    value, most = 1 << (grid.bits - 1), (1 << grid.bits) - 1
    for row in range(grid.rows):
        at = grid.start + row * grid.row_bytes
        for sample in range(grid.columns * grid.channels):
            if kind == "walk":
                step = draw.gauss(0, most / 100) if draw.random() > 0.01 else draw.uniform(-most, most)
                value = min(max(value + int(step), 0), most)
            place = at + sample * grid.sample_bytes
            out[place : place + grid.sample_bytes] = value.to_bytes(
                grid.sample_bytes, "little" if grid.little else "big"
            )
    return bytes(out)


@cache
def by_definition(name: str, kind: str) -> bytes:
    """The twin's payload, which the twin decodes."""
    grid = GRIDS[name]
    data = source(grid, kind)
    payload, out = codec.encode(data, grid), emptied(data, grid)
    codec.decode(payload, out, grid)
    assert out == data
    return payload


@cache
def scored_by_definition(name: str) -> list[float]:
    return codec.score(source(GRIDS[name], "walk"), GRIDS[name])


def emptied(data: bytes, grid: Grid) -> bytearray:
    """The source without its samples: what is around them, and the padding of rows, is known to a decoder."""
    out, used = bytearray(data), grid.row_bytes - grid.padding
    for row in range(grid.rows):
        at = grid.start + row * grid.row_bytes
        out[at : at + used] = b"\xaa" * used
    return out


@pytest.mark.parametrize("kind", ["walk", "noise", "flat"])
@pytest.mark.parametrize("name", GRIDS)
def test_core_and_twin_are_equal(core, name, kind):
    grid = GRIDS[name]
    data = source(grid, kind)
    payload = linear_prediction.encode(data, grid, using=core)
    assert payload == by_definition(name, kind)
    out = emptied(data, grid)
    linear_prediction.decode(payload, out, grid, using=core)
    assert out == data


@pytest.mark.parametrize("name", ["colour", "stereo"])
def test_scores_are_equal_and_add_up_to_the_payload(core, name):
    grid = GRIDS[name]
    data = source(grid, "walk")
    bits = linear_prediction.score(data, grid, using=core)
    assert bits == pytest.approx(scored_by_definition(name), abs=1e-9)
    assert sum(bits) / 8 == pytest.approx(len(linear_prediction.encode(data, grid, using=core)), abs=8)


def test_a_window_of_many_rows_and_chunks(core):
    """Longer than the twin likes: rows wrap, chunks of sound end, tiles are wider than a batch."""
    for grid in (
        Grid(True, 0, 70, 97, 3, 8),
        Grid(True, 0, 3, 30_000, 8, 8),
        Grid(False, 0, 1, 9_000, 2, 16, signed=True),
    ):
        data = source(grid, "walk")
        payload = linear_prediction.encode(data, grid, using=core)
        out = emptied(data, grid)
        linear_prediction.decode(payload, out, grid, using=core)
        assert out == data
        assert len(payload) < 0.95 * len(data)


def test_a_payload_that_ends_early_is_found_out(core):
    grid = Grid(True, 0, 64, 64, 3, 8)
    data = source(grid, "noise")
    payload = linear_prediction.encode(data, grid, using=core)
    heard: list[int] = []
    with pytest.raises(ChecksumError):
        linear_prediction.decode(payload[:100], bytearray(grid.stop), grid, using=core)
    with pytest.raises(ChecksumError):
        long = Grid(False, 0, 1, 2 * linear_prediction.SAMPLES_AT_ONCE, 1, 8)
        linear_prediction.decode(b"", bytearray(long.stop), long, heard.append, using=core)
    assert heard == []
    with pytest.raises(ChecksumError):
        codec.decode(payload[:100], bytearray(grid.stop), grid)


def test_any_payload_decodes_to_something_or_is_damaged(core):
    draw, refused, decoded = random.Random(2), 0, 0
    for name, grid in GRIDS.items():
        for size in (0, 3, 200, 4000):
            noise = draw.randbytes(size)
            out = bytearray(grid.stop)
            try:
                linear_prediction.decode(noise, out, grid, using=core)
            except ChecksumError:
                with pytest.raises(ChecksumError):
                    codec.decode(noise, bytearray(grid.stop), grid)
                refused += 1
                continue
            again = emptied(bytes(out), grid)
            linear_prediction.decode(linear_prediction.encode(out, grid, using=core), again, grid, using=core)
            assert again == out, (name, size)
            decoded += 1
    assert refused and decoded


def test_progress_is_heard(core):
    grid = Grid(False, 0, 1, 2 * linear_prediction.SAMPLES_AT_ONCE + 5, 1, 8)
    heard: list[int] = []
    linear_prediction.encode(bytes(grid.stop), grid, heard.append, using=core)
    assert heard == [linear_prediction.SAMPLES_AT_ONCE, 2 * linear_prediction.SAMPLES_AT_ONCE, grid.samples]


@pytest.mark.parametrize(
    "grid",
    [
        Grid(True, 0, 2, 3, 9, 8), Grid(True, 0, 2, 0, 3, 8), Grid(True, 0, 2, 1 << 18, 3, 8), Grid(True, 0, 2, 3, 1, 12),
        Grid(True, -1, 2, 3, 1, 8), Grid(True, 0, 2, 3, 1, 8, padding=-1),
    ],
)  # fmt: skip
def test_grids_that_are_none_are_refused(core, grid):
    with pytest.raises(MemoryError):
        linear_prediction.encode(bytes(100), grid, using=core)


def test_a_source_too_short_for_its_grid_is_refused(core):
    grid = GRIDS["colour"]
    with pytest.raises(CoreError):
        linear_prediction.encode(bytes(grid.stop - 1), grid, using=core)
    with pytest.raises(CoreError):
        linear_prediction.decode(bytes(100), bytearray(grid.stop - 1), grid, using=core)
