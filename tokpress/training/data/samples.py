"""Files as arrays of samples for tokenizers of items: pictures, recordings, videos, arrays, raw samples.

    pictures            PNG, JPEG, PPM … in the channels asked for (Pillow; `pip install "tokpress[image]"`)
    videos              MP4, WebM … (PyAV; `pip install "tokpress[video]"`)
    recordings          WAV of 16 bits (FLAC and others: soundfile, `pip install "tokpress[sound]"`)
    .npy .npz idx       arrays of items, one after another
    other files         raw samples, items one after another

Raises CorpusError.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...errors import CorpusError
from . import images
from .corpus import read_chunks
from .sound import is_sound, read_sound
from .video import is_video, read_video

Array = np.ndarray

#: number of sides of an item → medium (singular, plural), whether a file name is of that medium, and its reader
MEDIA: dict[int, tuple[str, str, Callable[[Path], bool], Callable[[Path, int], Array]]] = {
    1: ("a recording", "recordings", is_sound, read_sound),
    2: ("a picture", "pictures", lambda path: path.suffix.lower() in images.PICTURES, images.pixels),
    3: ("a video", "videos", is_video, read_video),
}


def read(path: Path, sides: tuple[int, ...], channels: int, bits: int) -> Array:
    """[extent …, channels] of a picture, recording or video, at least as large as an item; else items [N, sides …, channels]."""
    for dimensions, (medium, _, is_medium, read_medium) in MEDIA.items():
        if is_medium(path):
            if dimensions != len(sides):
                raise CorpusError(f"{path} is {medium}, and the tokenizer is for {MEDIA[len(sides)][1]}; leave it out")
            return _padded(read_medium(path, channels), sides)
    raw = images.read(path) if images.is_picture(path) else b"".join(read_chunks(path))
    kind, shape = np.dtype("u1" if bits == 8 else "<i2"), (*sides, channels)
    items = len(raw) // (math.prod(shape) * kind.itemsize)
    return np.frombuffer(raw, kind, items * math.prod(shape)).reshape(items, *shape)


def _padded(array: Array, sides: tuple[int, ...]) -> Array:
    """The array with its edges repeated where it is smaller than an item."""
    short = [(0, max(0, side - have)) for side, have in zip(sides, array.shape)]
    return np.pad(array, [*short, (0, 0)], mode="edge") if array.size else array
