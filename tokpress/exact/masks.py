"""Masks of weights: which positions a position may see, so that none sees a later one.

Masks A and B are those of van den Oord et al. 2016 ("Pixel recurrent neural networks", §3.4).
"""

from collections.abc import Sequence

import numpy as np

from ..errors import TokpressError
from .arrays import Mask
from .orders import Order

Taps = Sequence[tuple[int, ...]]
#: weights of a layer that joins every position with every other
MAX_JOINED = 1 << 28


def is_raster(order: Order | None) -> bool:
    """Whether items are coded row by row."""
    return order is not None and np.array_equal(order, np.arange(len(order)))


def taps_of(taps: Taps, strict: bool, channels: int, raster: bool) -> list[tuple[int, ...]]:
    """The taps that a masked convolution keeps: mask A (`strict`) has no centre, but for a pixel's earlier channels.

    Raises TokpressError where they are of rows and columns, and there are none, or not in raster order."""
    if len(taps[0]) == 2 and not raster:
        raise TokpressError("a convolution over rows and columns needs items of a shape, coded in raster order")
    return [tap for tap in taps if not (strict and channels == 1 and not any(tap))]


def own_mask(taps: Sequence[tuple[int, ...]], strict: bool, channels: int, width: int, outputs: int) -> Mask:
    """What a pixel's channels see of the pixel itself, [channels·outputs, taps·channels·width] of 0 and 1: the earlier
    ones, and the channel itself unless `strict`."""
    mask = np.ones((channels, outputs, len(taps), channels, width), np.int8)
    for k, tap in enumerate(taps):
        if not any(tap):
            mask[:, :, k] = np.tril(np.ones((channels, channels), np.int8), -1 if strict else 0)[:, None, :, None]
    return mask.reshape(channels * outputs, -1)


def earlier_mask(size: int, strict: bool, width: int, outputs: int) -> Mask:
    """Which positions' `width` features each position's `outputs` see: the earlier ones, and itself unless `strict`."""
    earlier = np.tril(np.ones((size, size), np.int8), -1 if strict else 0)
    return np.repeat(np.repeat(earlier, outputs, 0), width, 1)


def joinable(size: int, width: int, outputs: int) -> None:
    """Raises TokpressError where a layer over whole items would be out of all proportion."""
    if size * size * width * outputs > MAX_JOINED:
        raise TokpressError(f"{size:,} positions joined with each other make too many weights; take smaller items")
