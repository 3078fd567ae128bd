"""Items to train a tokenizer on: random crops of pictures, videos and recordings; items of arrays as they are.

A twentieth is held out: whole files where there are many, else the end of each array. Raises CorpusError.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import CorpusError
from .samples import Array, read

#: most bytes of all arrays together: they are held in memory
MAX_BYTES = 1 << 32
#: one in HELD_OUT is held out, at most MAX_HELD_OUT items
HELD_OUT, MAX_HELD_OUT = 20, 128
#: from so many files on, whole files are held out
MANY_FILES = 20


class Crops:
    """Batches of random items. sides, channels: of an item; bits: 8 (uint8) or 16 (int16).

    held_out [N, positions, channels]: items that are never drawn, from held_out_arrays. values: samples in the corpus without them."""

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
        self._arrays, self.held_out_arrays = self._split(arrays)
        self.held_out = self._spread(self.held_out_arrays)
        mass = np.array([array.size * weight for array, weight in self._arrays], np.float64)
        self._until = np.cumsum(mass / mass.sum())
        self.values = sum(array.size for array, _ in self._arrays)

    def batch(self, count: int) -> Array:
        """[count, positions, channels]: items drawn at random."""
        chosen = np.minimum(np.searchsorted(self._until, self._random.random(count)), len(self._arrays) - 1)
        return np.stack([self._draw(self._arrays[i][0], self._random) for i in chosen])

    def skip(self, batches: int, count: int) -> None:
        """Draw `batches` batches and drop them: a resumed run reads those that follow."""
        for _ in range(batches):
            self.batch(count)

    def _draw(self, array: Array, random: np.random.Generator) -> Array:
        """A random crop of an array [extent …, channels]; a random item of an array of items [N, sides …, channels]."""
        extent = array.shape[:-1]
        if len(extent) > len(self.sides):
            item = array[random.integers(len(array))]
        else:
            at = [int(random.integers(have - side + 1)) for have, side in zip(extent, self.sides)]
            item = array[tuple(slice(a, a + side) for a, side in zip(at, self.sides))]
        return np.reshape(item, (-1, self.channels))

    def _split(self, arrays: list[tuple[Array, float]]) -> tuple[list[tuple[Array, float]], list[Array]]:
        """(arrays to learn from with their weights, held-out arrays)"""
        if len(arrays) >= MANY_FILES:
            order = np.random.default_rng(0).permutation(len(arrays))
            count = len(arrays) // HELD_OUT
            return [arrays[i] for i in sorted(order[count:])], [arrays[i][0] for i in sorted(order[:count])]
        learned, held_out = [], []
        for array, weight in arrays:
            least = 1 if array.ndim > len(self.sides) + 1 else self.sides[0]  # length of an item
            count = max(least, len(array) // HELD_OUT)
            if len(array) >= count + least:
                held_out.append(array[-count:])
                array = array[:-count]
            learned.append((array, weight))
        return learned, held_out

    def _spread(self, arrays: list[Array]) -> Array:
        """Items from all over `arrays`, the same in every run; none of no arrays."""
        random = np.random.default_rng(1)
        each = max(1, MAX_HELD_OUT // max(len(arrays), 1))
        items = [self._draw(array, random) for array in arrays for _ in range(each)][:MAX_HELD_OUT]
        return np.stack(items) if items else np.zeros((0, math.prod(self.sides), self.channels), np.uint8)
