"""Files as arrays of samples for tokenizers of items: pictures, recordings, videos, arrays, raw samples.

    pictures            PNG, JPEG, PPM … in the channels asked for (Pillow; `pip install "tokpress[image]"`)
    videos              MP4, WebM … (PyAV; `pip install "tokpress[video]"`)
    recordings          WAV of 16 bits (FLAC and others: soundfile, `pip install "tokpress[sound]"`)
    .npy .npz idx       arrays whose last sides are those of an item: an item each
    anything else       raw samples, an item after the other

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

#: sides of an item → what it is of, one and many, whether a file is one by its name, and what reads it
MEDIA: dict[int, tuple[str, str, Callable[[Path], bool], Callable[[Path, int], Array]]] = {
    1: ("a recording", "recordings", is_sound, read_sound),
    2: ("a picture", "pictures", lambda path: path.suffix.lower() in images.PICTURES, images.pixels),
    3: ("a video", "videos", is_video, read_video),
}


def read(path: Path, sides: tuple[int, ...], channels: int, bits: int) -> Array:
    """[extent …, channels], at least as large as an item, or items [N, sides …, channels]."""
    for dimensions, (one, _, holds, taken) in MEDIA.items():
        if holds(path):
            if dimensions != len(sides):
                raise CorpusError(f"{path} is {one}, and the tokenizer is for {MEDIA[len(sides)][1]}; leave it out")
            return _filled(taken(path, channels), sides)
    raw = images.read(path) if images.is_picture(path) else b"".join(read_chunks(path))
    kind, shape = np.dtype("u1" if bits == 8 else "<i2"), (*sides, channels)
    whole = len(raw) // (math.prod(shape) * kind.itemsize)
    return np.frombuffer(raw, kind, whole * math.prod(shape)).reshape(whole, *shape)


def _filled(array: Array, sides: tuple[int, ...]) -> Array:
    """Edges are repeated where it is smaller than an item."""
    short = [(0, max(0, side - have)) for side, have in zip(sides, array.shape)]
    return np.pad(array, [*short, (0, 0)], mode="edge") if array.size else array
