"""Items to train a tokenizer on: cut at random places out of pictures and recordings, or taken as they are from arrays.

    pictures            PNG, JPEG, PPM … in the channels asked for: any place (Pillow; `pip install "tokpress[image]"`)
    videos              MP4, WebM …: any stretch of any part (PyAV; `pip install "tokpress[video]"`)
    recordings          WAV of 16 bits (FLAC and others: soundfile, `pip install "tokpress[sound]"`): any stretch
    .npy .npz idx       arrays whose last sides are those of an item: an item each
    anything else       raw samples, an item after the other

A twentieth is held out: files where there are many, else the ends of arrays. Raises CorpusError.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import CorpusError
from ...tokenizers.learned.tiled import tiles
from . import images
from .corpus import read_chunks
from .sound import is_sound, read_sound
from .video import is_video, read_video

if TYPE_CHECKING:
    from ...tokenizers.learned.autoencoder import Autoencoder

#: of all arrays together, in memory
MAX_BYTES = 1 << 32
#: held out: one in so many, and at most so many items
HELD_OUT, MAX_HELD_OUT = 20, 128
MANY_FILES = 20

#: items that are tokenized at once
AT_ONCE = 256

Array = np.ndarray


#: of a picture or recording, parts of an item from which a prior's corpus is cut anew: the same content in other tiles
SHIFTS = (0.0, 0.37, 0.71)


def tokenized(path: Path, tokenizer: "Autoencoder") -> Iterator[NDArray[np.int32]]:
    """The tokens of a file for a prior to learn from: of a picture or recording, cut into items from several places on."""
    array = read(path, tokenizer.sides, tokenizer.channels, tokenizer.bits)
    if array.ndim > len(tokenizer.sides) + 1:
        for at in range(0, len(array), AT_ONCE):
            yield tokenizer.encode(array[at : at + AT_ONCE].tobytes())
        return
    for shift in SHIFTS:
        starts = [int(shift * side) for side in tokenizer.sides]
        if all(have - start >= side for have, start, side in zip(array.shape, starts, tokenizer.sides)):
            part = array[tuple(slice(start, None) for start in starts)]
            yield tokenizer.encode(tiles(part, tokenizer.sides).tobytes())


class Items:
    """sides and channels of an item, bits 8 (uint8) or 16 (int16)."""

    def __init__(
        self,
        paths: Sequence[Path],
        weights: Sequence[float],
        sides: tuple[int, ...],
        channels: int,
        bits: int,
        seed: int,
    ) -> None:
        self.sides, self.channels = sides, channels
        self._random = np.random.default_rng(seed)
        arrays: list[tuple[Array, float]] = []
        for path, weight in zip(paths, weights):
            if path.stat().st_size:
                arrays.append((read(path, sides, channels, bits), weight))
            if sum(array.nbytes for array, _ in arrays) > MAX_BYTES:
                raise CorpusError(f"the corpus is more than {MAX_BYTES:,} bytes of samples; take a part of it")
        arrays = [(array, weight) for array, weight in arrays if array.size]
        if not arrays:
            raise CorpusError(f"no items of {'x'.join(map(str, (*sides, channels)))} in {', '.join(map(str, paths))}")
        self._arrays, held = self._split(arrays)
        self.held_out = self._some(held)
        mass = np.array([array.size * weight for array, weight in self._arrays], np.float64)
        self._until = np.cumsum(mass / mass.sum())
        self.values = sum(array.size for array, _ in self._arrays)

    def batch(self, count: int) -> Array:
        """[count, places, channels], drawn anew."""
        which = np.minimum(np.searchsorted(self._until, self._random.random(count)), len(self._arrays) - 1)
        return np.stack([self._draw(self._arrays[i][0], self._random) for i in which])

    def skip(self, batches: int, count: int) -> None:
        """As if so many had been drawn."""
        for _ in range(batches):
            self.batch(count)

    def _draw(self, array: Array, random: np.random.Generator) -> Array:
        """An array [extent …, channels] at any place; one of items [N, sides …, channels] anywhere along N."""
        extent = array.shape[:-1]
        if len(extent) > len(self.sides):
            return array[random.integers(len(array))].reshape(-1, self.channels)
        at = [int(random.integers(have - side + 1)) for have, side in zip(extent, self.sides)]
        return array[tuple(slice(a, a + side) for a, side in zip(at, self.sides))].reshape(-1, self.channels)

    def _split(self, arrays: list[tuple[Array, float]]) -> tuple[list[tuple[Array, float]], list[Array]]:
        """(to learn from, held out)"""
        if len(arrays) >= MANY_FILES:
            order = np.random.default_rng(0).permutation(len(arrays))
            count = len(arrays) // HELD_OUT
            return [arrays[i] for i in sorted(order[count:])], [arrays[i][0] for i in sorted(order[:count])]
        learned, held = [], []
        for array, weight in arrays:
            own = 1 if array.ndim > len(self.sides) + 1 else self.sides[0]
            count = max(own, len(array) // HELD_OUT)
            if len(array) >= count + own:
                held.append(array[-count:])
                array = array[:-count]
            learned.append((array, weight))
        return learned, held

    def _some(self, arrays: list[Array]) -> Array:
        """Items from all over what is held out, always the same; nothing where nothing is."""
        random = np.random.default_rng(1)
        each = max(1, MAX_HELD_OUT // max(len(arrays), 1))
        made = [self._draw(array, random) for array in arrays for _ in range(each)][:MAX_HELD_OUT]
        return np.stack(made) if made else np.zeros((0, math.prod(self.sides), self.channels), np.uint8)


# --- reading -----------------------------------------------------------------------------------

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
