"""Masks of weights: they hide later positions from each position.

Masks A and B are those of van den Oord et al. 2016 ("Pixel recurrent neural networks", §3.4).
"""

from collections.abc import Sequence

import numpy as np

from ..errors import TokpressError
from .arrays import Mask
from .orders import Order

Taps = Sequence[tuple[int, ...]]
#: largest number of weights in a layer over all pairs of positions
MAX_JOINED = 1 << 28


def is_raster(order: Order | None) -> bool:
    """Whether items are coded row by row."""
    return order is not None and np.array_equal(order, np.arange(len(order)))


def taps_of(taps: Taps, strict: bool, channels: int, raster: bool) -> list[tuple[int, ...]]:
    """The taps of a masked convolution. Mask A (`strict`) has the centre only if a pixel has several channels.

    Raises TokpressError if taps of rows and columns meet items without rows, or items that are not in raster order."""
    if len(taps[0]) == 2 and not raster:
        raise TokpressError("a convolution over rows and columns needs items of a shape, coded in raster order")
    return [tap for tap in taps if not (strict and channels == 1 and not any(tap))]


def own_mask(taps: Sequence[tuple[int, ...]], strict: bool, channels: int, width: int, outputs: int) -> Mask:
    """The mask of a pixel's own channels, [channels·outputs, taps·channels·width]. A channel sees the earlier channels,
    and itself unless `strict`."""
    mask = np.ones((channels, outputs, len(taps), channels, width), np.int8)
    for k, tap in enumerate(taps):
        if not any(tap):
            mask[:, :, k] = np.tril(np.ones((channels, channels), np.int8), -1 if strict else 0)[:, None, :, None]
    return mask.reshape(channels * outputs, -1)


def earlier_mask(size: int, strict: bool, width: int, outputs: int) -> Mask:
    """The mask [size·outputs, size·width] of a layer over all positions. A position sees the earlier ones, and itself unless `strict`."""
    earlier = np.tril(np.ones((size, size), np.int8), -1 if strict else 0)
    return np.repeat(np.repeat(earlier, outputs, 0), width, 1)


def joinable(size: int, width: int, outputs: int) -> None:
    """Raises TokpressError if a layer over all pairs of positions has too many weights."""
    if size * size * width * outputs > MAX_JOINED:
        raise TokpressError(f"a layer over all pairs of {size:,} positions has too many weights; take smaller items")
