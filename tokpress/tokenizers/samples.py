"""Tokenizers of samples (pixels, sound, video): what they take, and how the samples of a source are laid out for them.

SampleTokenizer    takes samples one by one (a palette: a token a pixel)
ItemTokenizer      takes items of a fixed shape, and cuts larger pictures, recordings and videos into them
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

    #: samples that lie side by side at one place; 0: it takes no samples
    channels: int = 0
    #: sound of 16 bits, else pixels of a byte a channel
    sound: bool = False
    #: of an item: rows and columns, before them frames of video; samples a channel of sound. () where there are no items
    sides: tuple[int, ...] = ()

    @property
    def bits(self) -> int:
        return 16 if self.sound else 8

    @property
    def video(self) -> bool:
        """Whether items have a side of time, beside rows and columns."""
        return len(self.sides) == 3


class SampleTokenizer(Tokenizer):
    """Abstract: a tokenizer whose sources are samples."""

    samples: SampleKind


class ItemTokenizer(SampleTokenizer):
    """Abstract: a tokenizer whose sources are whole items, samples [sides …, channels] each."""

    #: shape of an item's tokens
    item_shape: tuple[int, ...]

    @abstractmethod
    def tiled(self, grid: Grid) -> Tokenizer:
        """This tokenizer for one source that is the samples of this grid and nothing else, cut into items. Raises
        TokenizerError where the samples are not what it is for."""


def samples_of(tokenizer: Tokenizer) -> SampleKind:
    """The samples that a tokenizer takes; none of most."""
    return tokenizer.samples if isinstance(tokenizer, SampleTokenizer) else SampleKind()


def grid_for(tokenizer: Tokenizer, found: Samples) -> Grid:
    """How the samples of a file lie. Raises TokenizerError where the tokenizer does not take them."""
    kind, grid = samples_of(tokenizer), None
    if found.dtype == ("<i2" if kind.sound else "|u1") and not found.padding and not found.blue_first:
        if kind.video:
            grid = found.video(kind.channels)
        elif (found.kind == "sound") == kind.sound and found.shape[-1] == kind.channels:
            grid = found.grid()
    if grid is None or (kind.sides and grid.picture == kind.sound):
        raise TokenizerError(
            f"the tokenizer {tokenizer.name!r} takes other samples than these: tokenizers of pictures take pixels of a byte a "
            "channel, raw or in a PPM or PGM file, those of sound 16 bits, raw or in a WAV file, those of video pixels, raw "
            "or in an NPY file"
        )
    return grid


def for_grid(tokenizer: Tokenizer, grid: Grid | None) -> Tokenizer:
    """The tokenizer of a source whose samples lie on this grid, if on any. Raises TokenizerError as `ItemTokenizer.tiled`."""
    return tokenizer.tiled(grid) if grid and isinstance(tokenizer, ItemTokenizer) else tokenizer
