"""Videos as arrays: of any size and length, cut into items over time, rows and columns, in frames of a file that are bounded."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import tiny_autoencoder
from tokpress.codec import stream
from tokpress.container.member import iter_frames
from tokpress.errors import ChecksumError, TokenizerError, TokpressError
from tokpress.media import grid as grids
from tokpress.media.grid import Grid
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior

SMALL = {"width": 8, "depth": 1, "slower": 2, "codes": 16}
COLOUR = Model(tiny_autoencoder("video_lfq", {**SMALL, "shape": "3x8x8x3"}), HistogramPrior(16), name="v")
GREY = Model(tiny_autoencoder("video_lfq", {**SMALL, "shape": "3x8x8"}), HistogramPrior(16), name="g")


def npy(array: np.ndarray) -> bytes:
    np.save(out := io.BytesIO(), array)
    return out.getvalue()


def glide(*shape: int) -> np.ndarray:
    """[frames, rows, columns, …] of a slope that moves."""
    t, r, c = (np.arange(side) for side in shape[:3])
    values = (3 * t[:, None, None] + 2 * r[:, None] + c).astype(np.uint8)
    return values.reshape(*values.shape, *[1] * (len(shape) - 3)).repeat(shape[3], -1) if len(shape) > 3 else values


def stored(source: bytes, model: Model, lossy: bool = True, **more: int) -> tuple[bytes, stream.Summary]:
    options = stream.Options([model], lossy=lossy, **more)
    summary = stream.compress_stream(io.BytesIO(source), out := io.BytesIO(), options)
    return out.getvalue(), summary


def reconstruction(video: np.ndarray, model: Model) -> np.ndarray:
    """[frames, rows, columns, channels] filled up at the edges, item by item, and cut off again."""
    (t, r, c), tokenizer = model.tokenizer.sides, model.tokenizer
    short = [(0, -have % side) for have, side in zip(video.shape, (t, r, c))]
    filled = np.pad(video, [*short, (0, 0)], mode="edge")
    for at in np.ndindex(*(have // side for have, side in zip(filled.shape, (t, r, c)))):
        part = tuple(slice(i * side, (i + 1) * side) for i, side in zip(at, (t, r, c)))
        made = tokenizer.decode(tokenizer.encode(filled[part].tobytes()))
        filled[part] = np.frombuffer(made, np.uint8).reshape(filled[part].shape)
    return filled[: video.shape[0], : video.shape[1], : video.shape[2]]


@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 18), st.integers(1, 18)),
    grey=st.booleans(),
    seed=st.integers(0, 9),
)
@settings(max_examples=25, deadline=None)
def test_videos_of_any_size(shape, grey, seed):
    model = GREY if grey else COLOUR
    video = np.random.default_rng(seed).integers(0, 256, (*shape, 1 if grey else 3)).astype(np.uint8)
    source = npy(video[..., 0] if grey and seed % 2 else video) + b"behind"
    coded, summary = stored(source, model)
    restored = stream.decompress(coded, model=model)
    assert len(restored) == len(source) and restored.endswith(b"behind")
    back = np.load(io.BytesIO(restored)).reshape(video.shape)
    by_model = model.name in [frame.stored for frame in summary.frames]
    assert np.array_equal(back, reconstruction(video, model) if by_model else video)
    assert by_model or video.size <= 600  # a few pixels stay as they are
    assert summary.distortion.error == ((video.astype(int) - back) ** 2).sum() and "PSNR" in str(summary.distortion)


@pytest.mark.parametrize("frame_size", [300, 9000, 1 << 20])
@pytest.mark.parametrize("lossy", [True, False])
def test_a_long_video_is_many_frames_of_a_file(frame_size, lossy):
    """Whole items over time in each, so that what comes back does not depend on where it was cut."""
    video = glide(31, 20, 27, 3)
    source = npy(video)
    coded, summary = stored(source, COLOUR, lossy, frame_size=frame_size)
    restored = stream.decompress(coded, model=COLOUR)
    item = 3 * 20 * 27 * 3
    each = max(1, frame_size // item) * item
    lengths = [header.source_length for header, _ in iter_frames(io.BytesIO(coded))]
    assert lengths[1:-1] == [each] * (len(lengths) - 2) and lengths[0] == 128
    assert [frame.stored for frame in summary.frames[1:-1]] == ["v"] * (len(lengths) - 2)
    if lossy:
        assert np.array_equal(np.load(io.BytesIO(restored))[:30], reconstruction(video, COLOUR)[:30])
    else:
        assert restored == source and summary.distortion is None


def test_a_single_large_frame_is_cut_along_its_rows():
    video = glide(1, 61, 50, 3)
    coded, _ = stored(npy(video), COLOUR, frame_size=4000)
    assert [header.source_length for header, _ in iter_frames(io.BytesIO(coded))] == [128, 3600, 3600, 1950]  # 24 rows
    restored = stream.decompress(coded, model=COLOUR)
    assert np.array_equal(np.load(io.BytesIO(restored)), reconstruction(video, COLOUR))


def test_several_videos_in_one_array():
    videos = glide(12, 20, 27, 3).reshape(4, 3, 20, 27, 3)
    restored = np.load(io.BytesIO(stream.decompress(stored(npy(videos), COLOUR)[0], model=COLOUR)))
    assert np.array_equal(restored[2], reconstruction(videos[2], COLOUR))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (npy(glide(4, 9, 9, 3).astype(np.float32)), "other samples"),
        (npy(glide(4, 9, 9, 2)), "other samples"),
        (npy(glide(4, 9, 9)), "other samples"),
        (npy(glide(4, 9, 9, 3))[:-1], "cut off"),
        (b"P6 9 9 255\n" + bytes(243), "other samples"),
    ],
)
def test_what_is_no_video_of_this_kind(source, told):
    with pytest.raises(TokpressError, match=told):
        stored(source, COLOUR)
    coded, summary = stored(source, COLOUR, lossy=False)
    assert "v" not in [frame.stored for frame in summary.frames]
    assert stream.decompress(coded, model=COLOUR) == source


def test_frames_that_leave_items_all_but_empty():
    """Of a frame a pixel wide, an item of 8 columns holds an eighth; memory is bounded all the same."""
    grid = Grid(True, 0, 1 << 24, 1, 3, 8, frames=2)
    with pytest.raises(TokenizerError, match="empty"):
        COLOUR.tokenizer.tiled(grid)
    source = npy(np.zeros((2, 4, 1, 3), np.uint8)).replace(b"(2, 4, 1, 3), }     ", b"(2, 8388608, 1, 3), }")
    with pytest.raises(TokpressError, match="empty"):
        stored(source + bytes(grid.stop), COLOUR)


def test_payloads_that_lie():
    video = glide(4, 9, 10, 3)
    grid = Grid(True, 0, 36, 10, 3, 8, frames=4)
    payload, tokens, lanes = COLOUR.encode(video.tobytes(), grid=grid)
    assert COLOUR.decode(payload, tokens, lanes, length=video.size) == reconstruction(video, COLOUR).tobytes()
    refused = believed = 0
    for at in range(1 + payload[0]):
        for bit in range(8):
            wrong = bytearray(payload)
            wrong[at] ^= 1 << bit
            try:  # another video as large is for the checksum to find
                assert len(COLOUR.decode(bytes(wrong), tokens, lanes, length=video.size)) == video.size
                believed += 1
            except ChecksumError:
                refused += 1
    assert refused > believed > 0


def test_how_a_grid_of_frames_is_written():
    grid = Grid(True, 0, 36, 10, 3, 8, frames=4)
    assert grids.unpack(grid.pack(), 1080) == grid and grid.pack()[0] == 0b100001 and grid.pack()[-1] == 4
    assert grid.stacked.pack()[0] == 1
    packed = bytearray(grid.pack())
    for frames in (0, 1, 5, 37):
        packed[-1] = frames
        with pytest.raises(ChecksumError):
            grids.unpack(bytes(packed), 1080)
    with pytest.raises(ChecksumError):
        grids.unpack(grid.pack()[:-1], 1080)
    with pytest.raises(ChecksumError):  # frames of sound
        grids.unpack(bytes([packed[0] & ~1]) + grid.pack()[1:], 1080)


def test_bits_of_a_video():
    video = glide(7, 20, 27, 3)
    bits = COLOUR.score(npy(video))
    assert bits.source_bytes == video.size and len(bits.bits) == 3 * 3 * 4


# ── pictures and sound longer than a frame of a file ───────────────────────────────────────────────


def test_a_picture_longer_than_a_frame():
    model = Model(
        tiny_autoencoder("vq", {"width": 8, "depth": 1, "shape": "8x8x3", "codes": 32, "dim": 4}), HistogramPrior(32)
    )
    pixels = glide(1, 61, 50, 3)[0]
    source = b"P6 50 61 255\n" + pixels.tobytes() + b"behind" * 99
    whole = stream.decompress(stored(source, model)[0], model=model)
    assert whole != source and whole.endswith(b"behind" * 99)
    coded, _ = stored(source, model, frame_size=3000)
    assert stream.decompress(coded, model=model) == whole
    assert 2400 in [header.source_length for header, _ in iter_frames(io.BytesIO(coded))]  # 16 rows
    assert stream.decompress(stored(source, model, lossy=False, frame_size=3000)[0], model=model) == source
