"""Videos as training data."""

from pathlib import Path

import av
import numpy as np
import pytest

from tokpress.errors import CorpusError
from tokpress.training.data.samples import read
from tokpress.training.data.video import is_video, read_video


def clip(path: Path, frames: int) -> np.ndarray:
    """Flat frames, which every coder keeps."""
    values = np.arange(frames) * 20 + 40
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv444p"
        for value in values:
            picture = np.full((16, 32, 3), value, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return values


def test_frames_are_read(tmp_path):
    values = clip(tmp_path / "a.mkv", 6)
    assert is_video(tmp_path / "a.mkv") and not is_video(tmp_path / "a.wav")
    colour, grey = read_video(tmp_path / "a.mkv", 3), read_video(tmp_path / "a.mkv", 1)
    assert colour.shape == (6, 16, 32, 3) and grey.shape == (6, 16, 32, 1)
    assert np.abs(colour.mean((1, 2, 3)) - values).max() < 3
    assert read(tmp_path / "a.mkv", (9, 32, 32), 3, 8).shape == (9, 32, 32, 3)  # edges repeat


def test_what_is_no_video(tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(CorpusError, match=r"b\.mp4"):
        read_video(tmp_path / "b.mp4", 3)
    clip(tmp_path / "a.mkv", 3)
    with pytest.raises(CorpusError, match="channels"):
        read_video(tmp_path / "a.mkv", 2)
