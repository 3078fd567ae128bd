"""Recordings as training data: 16-bit samples [T, channels] of a WAV file, or of a file that soundfile reads."""

import io
from pathlib import Path

import numpy as np

from ...errors import CorpusError
from ...media import formats
from ...media.unwrap_sound import sixteen_bits

SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


def is_sound(path: Path) -> bool:
    """Whether the name is that of a recording."""
    return path.suffix.lower() in SOUNDS


def read_sound(path: Path, channels: int) -> np.ndarray:
    """[T, channels] int16. Asked for one channel of several, their mean. Raises CorpusError."""
    raw = path.read_bytes()
    found = formats.find(raw)
    if found and found.kind == "sound" and found.dtype == "<i2":
        samples = formats.values(raw, found).astype(np.int16)
    else:
        try:
            import soundfile
        except ModuleNotFoundError:
            raise CorpusError(
                f'{path} is no WAV file of 16 bits; others need soundfile: pip install "tokpress[sound]"'
            ) from None
        try:
            with soundfile.SoundFile(io.BytesIO(raw)) as file:
                samples = sixteen_bits(file)
        except (RuntimeError, ValueError) as error:
            raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error
    if samples.shape[1] == channels:
        return samples
    if channels == 1:
        mean: np.ndarray = samples.mean(1, keepdims=True)
        return mean.astype(np.int16)
    raise CorpusError(f"{path} has {samples.shape[1]} channels, not {channels}; leave it out or change the shape")
