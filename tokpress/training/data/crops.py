"""Items to train a tokenizer on: crops at random places of pictures, videos and recordings; items of arrays as they are.

A twentieth is held out: files where there are many, else the ends of arrays. Raises CorpusError.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import CorpusError
from .samples import Array, read

#: of all arrays together, in memory
MAX_BYTES = 1 << 32
#: held out: one in so many, and at most so many items
HELD_OUT, MAX_HELD_OUT = 20, 128
MANY_FILES = 20


class Crops:
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
