"""Videos as training data: frames [T, rows, columns, channels] uint8, read by PyAV (`tokpress.media.video`)."""

from pathlib import Path

import numpy as np

from ...errors import CorpusError, TokpressError
from ...media.video import frames

VIDEOS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".y4m", ".m4v")
#: most values of a file: they are held in memory
MAX_VALUES = 1 << 31


def is_video(path: Path) -> bool:
    """Whether the name is that of a video."""
    return path.suffix.lower() in VIDEOS


def read_video(path: Path, channels: int) -> np.ndarray:
    """All frames of the first video stream, grey or red-green-blue. Raises CorpusError."""
    found: list[np.ndarray] = []
    try:
        for frame in frames(str(path), channels):
            found.append(frame)
            if len(found) * frame.size > MAX_VALUES:
                raise CorpusError(f"{path} is too long; cut it up first")
    except CorpusError:
        raise
    except TokpressError as error:
        raise CorpusError(f"{path}: {error}; repair it or leave it out") from error
    if not found:
        raise CorpusError(f"{path} holds no frames; leave it out")
    return np.stack(found)
