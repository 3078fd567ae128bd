"""Videos as training data: frames [T, rows, columns, channels] uint8, read by PyAV (`pip install "tokpress[video]"`)."""

from pathlib import Path

import numpy as np

from ..errors import CorpusError

VIDEOS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".m4v")
#: of a file, in memory
MOST_VALUES = 1 << 31


def is_video(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in VIDEOS


def read_video(path: Path, channels: int) -> np.ndarray:
    """All frames of the first video stream, grey or red-green-blue. Raises CorpusError."""
    if channels not in (1, 3):
        raise CorpusError(f"videos have 1 or 3 channels, not {channels}")
    try:
        import av
    except ModuleNotFoundError:
        raise CorpusError(f'{path}: reading videos needs PyAV: pip install "tokpress[video]"') from None
    frames: list[np.ndarray] = []
    try:
        with av.open(str(path)) as file:
            for frame in file.decode(video=0):
                frames.append(frame.to_ndarray(format="gray" if channels == 1 else "rgb24"))
                if len(frames) * frames[0].size > MOST_VALUES:
                    raise CorpusError(f"{path} is too long; cut it up first")
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error
    if not frames:
        raise CorpusError(f"{path} holds no frames; leave it out")
    return np.stack(frames).reshape(len(frames), *frames[0].shape[:2], channels)
