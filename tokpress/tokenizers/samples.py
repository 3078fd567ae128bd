"""Tokenizers of samples (pixels, sound, video): the kinds of samples they take, and the grid of a source for them.

SampleTokenizer    takes samples one by one (a palette: a token a pixel)
ItemTokenizer      takes items of a fixed shape, and cuts larger pictures, recordings and videos into items
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TokenizerError
from ..media.grid import Grid
from .base import Tokenizer

if TYPE_CHECKING:
    from ..media.formats import Samples


@dataclass(frozen=True)
class SampleKind:
    """The samples that a tokenizer takes."""

    #: samples at one place; 0: the tokenizer takes no samples
    channels: int = 0
    #: sound of 16 bits, else pixels of a byte a channel
    sound: bool = False
    #: of an item: rows and columns, after frames in video; samples of sound. () without items
    sides: tuple[int, ...] = ()

    @property
    def bits(self) -> int:
        return 16 if self.sound else 8

    @property
    def video(self) -> bool:
        """Whether items have frames, rows and columns."""
        return len(self.sides) == 3


class SampleTokenizer(Tokenizer):
    """Abstract: a tokenizer whose sources are samples."""

    samples: SampleKind


class ItemTokenizer(SampleTokenizer):
    """Abstract: a tokenizer whose sources are items, samples [sides …, channels] each."""

    #: shape of an item's tokens
    item_shape: tuple[int, ...]

    @abstractmethod
    def tiled(self, grid: Grid) -> Tokenizer:
        """This tokenizer for a source that holds only the samples of this grid, cut into items. Raises TokenizerError where it does not take
        these samples."""


def samples_of(tokenizer: Tokenizer) -> SampleKind:
    """The kind of samples that a tokenizer takes."""
    return tokenizer.samples if isinstance(tokenizer, SampleTokenizer) else SampleKind()


def grid_for(tokenizer: Tokenizer, samples: Samples) -> Grid:
    """The grid of the samples of a file. Raises TokenizerError where the tokenizer does not take them."""
    kind, grid = samples_of(tokenizer), None
    if samples.dtype == ("<i2" if kind.sound else "|u1") and not samples.padding and not samples.blue_first:
        if kind.video:
            grid = samples.video(kind.channels)
        elif (samples.kind == "sound") == kind.sound and samples.shape[-1] == kind.channels:
            grid = samples.grid()
    if grid is None or (kind.sides and grid.picture == kind.sound):
        raise TokenizerError(
            f"the tokenizer {tokenizer.name!r} takes other samples: tokenizers of pictures take 8-bit pixels, raw, PPM or PGM; "
            "of sound, 16-bit samples, raw or WAV; of video, 8-bit pixels, raw or NPY"
        )
    return grid


def for_grid(tokenizer: Tokenizer, grid: Grid | None) -> Tokenizer:
    """The tokenizer for a source with this grid; None: without samples. Raises TokenizerError as `ItemTokenizer.tiled`."""
    return tokenizer.tiled(grid) if grid and isinstance(tokenizer, ItemTokenizer) else tokenizer
