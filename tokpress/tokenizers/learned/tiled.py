"""Tiles: one picture, recording or video is cut into the items of a tokenizer, from the top left, row by row.

The last tiles of a side are padded with the values at the edge. The decoder knows the grid and removes the padding.
"""

import math
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokenizerError
from ...media.grid import Grid
from ...tokens import TokenBuffer
from ..base import Config, Tokenizer
from ..samples import ItemTokenizer
from ..sizes import Sizes, equal_parts

T = TypeVar("T", bound=np.generic)

#: maximum bytes of all tiles of a video: tiles of narrow frames are mostly padding
MAX_FILLED = 1 << 29


def tiles(array: NDArray[T], sides: tuple[int, ...]) -> NDArray[T]:
    """[extent …, channels] → [n, sides …, channels].

    >>> tiles(np.arange(3)[:, None], (2,))[..., 0].tolist()
    [[0, 1], [2, 2]]
    """
    d = len(sides)
    short = [(0, -have % side) for have, side in zip(array.shape, sides)]
    array = np.pad(array, [*short, (0, 0)], mode="edge")
    counts = [have // side for have, side in zip(array.shape, sides)]
    split = array.reshape(*(s for pair in zip(counts, sides) for s in pair), -1)
    order = [*range(0, 2 * d, 2), *range(1, 2 * d, 2), 2 * d]
    return np.ascontiguousarray(split.transpose(order)).reshape(-1, *sides, array.shape[-1])


def count(extent: tuple[int, ...], sides: tuple[int, ...]) -> int:
    """Number of tiles."""
    return math.prod(-(-have // side) for have, side in zip(extent, sides))


def joined(tiles: NDArray[T], extent: tuple[int, ...]) -> NDArray[T]:
    """The reverse of `tiles`."""
    sides, d = tiles.shape[1:-1], len(extent)
    counts = [-(-have // side) for have, side in zip(extent, sides)]
    split = tiles.reshape(*counts, *sides, -1)
    order = [axis for i in range(d) for axis in (i, d + i)]
    padded = split.transpose([*order, 2 * d]).reshape(*(c * s for c, s in zip(counts, sides)), -1)
    return padded[tuple(slice(0, have) for have in extent)]


class TileSizes(Sizes):
    """Sizes of one source: tiles are padded at the edges, so only all tokens together have a length."""

    def __init__(self, tokens: int, length: int, vocab_size: int) -> None:
        self.tokens, self.length, self.vocab_size = tokens, length, vocab_size

    def source_length(self, tokens: TokenBuffer) -> int:
        return self.length

    def possible_tokens(self, length: int) -> range:
        return range(self.tokens, self.tokens + (length == self.length))

    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        return equal_parts(self.length, len(tokens))

    def average(self) -> NDArray[np.float64]:
        return np.full(self.vocab_size, self.length / max(self.tokens, 1))


class Tiled(Tokenizer):
    """A tokenizer of items for one grid. Raises TokenizerError where it does not take the samples of the grid."""

    lossless = False

    def __init__(self, inner: ItemTokenizer, grid: Grid) -> None:
        self.inner, self.grid, kind = inner, grid, inner.samples
        frame = (grid.rows // grid.frames, grid.columns)
        #: one frame is a video too
        self.extent = ((grid.frames, *frame) if kind.video else frame) if grid.picture else (grid.columns,)
        if len(self.extent) != len(kind.sides) or (grid.frames > 1) > kind.video:
            medium = "sound" if not grid.picture else "video" if grid.frames > 1 else "a picture"
            raise TokenizerError(f"the tokenizer {inner.name!r} of {len(kind.sides)} dimensions does not take {medium}")
        if grid.channels != kind.channels or grid.bits != kind.bits or (grid.bits == 16 and not grid.signed):
            raise TokenizerError(
                f"this {inner.name} tokenizer takes {kind.channels} channels of {kind.bits} bits, "
                f"not {grid.channels} of {grid.bits}{'' if grid.signed or grid.bits == 8 else ', unsigned'}"
            )
        self.name, self.vocab_size = inner.name, inner.vocab_size
        items = count(self.extent, kind.sides)
        #: bytes of the tiles, padding included
        self.filled = items * inner.sizes.unit_bytes
        #: tokens of the source
        self.tokens = items * inner.sizes.unit_tokens
        self.sizes = TileSizes(self.tokens, grid.stop, self.vocab_size)
        if kind.video and self.filled > MAX_FILLED:
            raise TokenizerError(f"frames of {frame[0]:,} × {frame[1]:,} leave too much of items of {kind.sides} empty")
        self._dtype = np.dtype("u1" if grid.bits == 8 else "<i2")

    def encode(self, source: bytes) -> TokenBuffer:
        if len(source) != self.grid.stop or self.grid.start or self.grid.padding:
            raise TokenizerError("the source holds other bytes than the samples of this grid")
        _, samples = self.grid.split(source)
        values = np.ascontiguousarray(samples[:, ::-1]).view(self._dtype).reshape(*self.extent, self.grid.channels)
        return self.inner.encode(tiles(values, self.inner.samples.sides).tobytes())

    def decode(self, tokens: TokenBuffer) -> bytes:
        if len(tokens) != self.tokens:
            raise TokenizerError(f"the samples take {self.tokens:,} tokens, not {len(tokens):,}")
        values = np.frombuffer(self.inner.decode(tokens), self._dtype)
        array = joined(values.reshape(-1, *self.inner.samples.sides, self.grid.channels), self.extent)
        samples = np.ascontiguousarray(array).view(np.uint8).reshape(-1, self._dtype.itemsize)[:, ::-1]
        return self.grid.join(b"", samples)

    @classmethod
    def load(cls, folder: Path, config: Config) -> "Tiled":
        raise TokenizerError("tiles belong to one source: load the tokenizer of items")
