"""One picture, recording or video as items of a tokenizer that takes them apart: tiles, from the top left, row by row.

The last tiles of a side are filled up with what stands at the edge, and cut off again by the decoder, which is told the grid.
"""

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import TokenizerError
from ...media.grid import Grid
from ...tokens import TokenBuffer
from ..base import Config, Tokenizer

#: bytes of all tiles of a video: those of frames a pixel wide would take many times as many as the frames
MAX_FILLED = 1 << 29


def tiles(array: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
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
    """Of tiles."""
    return math.prod(-(-have // side) for have, side in zip(extent, sides))


def joined(made: np.ndarray, extent: tuple[int, ...]) -> np.ndarray:
    """The reverse of `tiles`."""
    sides, d = made.shape[1:-1], len(extent)
    counts = [-(-have // side) for have, side in zip(extent, sides)]
    split = made.reshape(*counts, *sides, -1)
    order = [axis for i in range(d) for axis in (i, d + i)]
    whole = split.transpose([*order, 2 * d]).reshape(*(c * s for c, s in zip(counts, sides)), -1)
    return whole[tuple(slice(0, have) for have in extent)]


class ItemTokenizer(Protocol):
    """A tokenizer whose source is whole items: samples [sides …, channels] of `bits` bits."""

    @property
    def name(self) -> str: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def unit_bytes(self) -> int: ...
    @property
    def unit_tokens(self) -> int: ...
    @property
    def item_shape(self) -> tuple[int, ...]: ...
    @property
    def sides(self) -> tuple[int, ...]: ...
    @property
    def channels(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def spatial(self) -> int: ...
    @property
    def video(self) -> bool: ...
    def encode(self, source: bytes) -> TokenBuffer: ...
    def decode(self, tokens: TokenBuffer) -> bytes: ...


class Tiled(Tokenizer):
    """Raises TokenizerError where the samples are not what the tokenizer is for."""

    lossless = lengths_add_up = False

    def __init__(self, inner: ItemTokenizer, grid: Grid) -> None:
        self.inner, self.grid = inner, grid
        frame = (grid.rows // grid.frames, grid.columns)
        #: one frame is a video too
        self.extent = ((grid.frames, *frame) if inner.video else frame) if grid.picture else (grid.columns,)
        if len(self.extent) != inner.spatial or (grid.frames > 1) > inner.video:
            what = "sound" if not grid.picture else "video" if grid.frames > 1 else "a picture"
            raise TokenizerError(f"the tokenizer {inner.name!r} of {inner.spatial} dimensions does not take {what}")
        if grid.channels != inner.channels or grid.bits != inner.bits or (grid.bits == 16 and not grid.signed):
            raise TokenizerError(
                f"this {inner.name} tokenizer takes {inner.channels} channels of {inner.bits} bits, "
                f"not {grid.channels} of {grid.bits}{'' if grid.signed or grid.bits == 8 else ', unsigned'}"
            )
        self.name, self.vocab_size, self.item_shape = inner.name, inner.vocab_size, inner.item_shape
        if inner.video and self.filled > MAX_FILLED:
            raise TokenizerError(
                f"frames of {frame[0]:,} × {frame[1]:,} leave too much of items of {inner.sides} empty"
            )
        self._dtype = np.dtype("u1" if grid.bits == 8 else "<i2")

    @property
    def filled(self) -> int:
        """Bytes of its tiles, with what fills up the last ones."""
        return count(self.extent, self.inner.sides) * self.inner.unit_bytes

    @property
    def tokens(self) -> int:
        """How many a source becomes."""
        return count(self.extent, self.inner.sides) * self.inner.unit_tokens

    def encode(self, source: bytes) -> TokenBuffer:
        if len(source) != self.grid.stop or self.grid.start or self.grid.padding:
            raise TokenizerError("the source is not the samples of this grid, and nothing else")
        _, samples = self.grid.split(source)
        values = np.ascontiguousarray(samples[:, ::-1]).view(self._dtype).reshape(*self.extent, self.grid.channels)
        return self.inner.encode(tiles(values, self.inner.sides).tobytes())

    def decode(self, tokens: TokenBuffer) -> bytes:
        if len(tokens) != self.tokens:
            raise TokenizerError(f"{len(tokens):,} tokens make no samples that take {self.tokens:,}")
        made = np.frombuffer(self.inner.decode(tokens), self._dtype)
        whole = joined(made.reshape(-1, *self.inner.sides, self.grid.channels), self.extent)
        samples = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, self._dtype.itemsize)[:, ::-1]
        return self.grid.join(b"", samples)

    def possible_tokens(self, length: int) -> range:
        return range(self.tokens, self.tokens + (length == self.grid.stop))

    def source_length(self, tokens: TokenBuffer) -> int:
        return self.grid.stop

    def token_bytes(self) -> np.ndarray:
        raise TokenizerError("tiles may overlap an edge: their tokens stand for no number of bytes")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "Tiled":
        raise TokenizerError("tiles belong to one source; load the tokenizer")
