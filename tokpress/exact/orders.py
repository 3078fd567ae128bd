"""Scan orders: in which order the symbols of an item are coded.

An order is a permutation of the raster positions 0 … N−1 of an item of shape (rows, columns) or (rows, columns,
channels): `order[t]` is the position coded at step t. The channels of a pixel always follow each other.

    raster      row by row                          columns    column by column
    even_odd    positions 0, 2, 4 …, then 1, 3 …    top_bottom rows from the top and from the bottom in turn, to the middle
    zigzag      anti-diagonals, there and back      random     shuffled, the same on every machine; random-2 … differently

Germain et al. 2015 (MADE), §4.2, for several orders; the lecture's slide "MADE – Different Orderings" for the list.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import TokpressError
from ..lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Order = NDArray[np.int64]
    Scalar = TypeVar("Scalar", bound=np.generic)
else:
    Order = Any

Shape = tuple[int, ...]
#: of an item
MAX_POSITIONS = 1 << 20
#: in a list of them
MAX_NUMBERS = 64


def _raster(rows: int, columns: int) -> Order:
    return np.arange(rows * columns)


def _columns(rows: int, columns: int) -> Order:
    return np.arange(rows * columns).reshape(rows, columns).T.reshape(-1)


def _even_odd(rows: int, columns: int) -> Order:
    positions = np.arange(rows * columns)
    return np.concatenate([positions[::2], positions[1::2]])


def _top_bottom(rows: int, columns: int) -> Order:
    middle = -(-rows // 2)
    turn = np.empty(rows, np.int64)
    turn[::2], turn[1::2] = np.arange(middle), np.arange(rows - 1, middle - 1, -1)
    return np.arange(rows * columns).reshape(rows, columns)[turn].reshape(-1)


def _zigzag(rows: int, columns: int) -> Order:
    r, c = np.divmod(np.arange(rows * columns), columns)
    diagonal = r + c
    return np.lexsort((np.where(diagonal % 2, r, c), diagonal))


def _random(rows: int, columns: int, number: int = 1) -> Order:
    """Sorted by a hash of the position (splitmix64, Steele et al. 2014): no library's generator is a format."""
    first = np.uint64((number - 1 << 32) + 1)
    z = (np.arange(rows * columns, dtype=np.uint64) + first) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(z ^ (z >> np.uint64(31)), kind="stable")


ORDERS: dict[str, Callable[[int, int], Order]] = {
    "raster": _raster,
    "columns": _columns,
    "even_odd": _even_odd,
    "top_bottom": _top_bottom,
    "zigzag": _zigzag,
    "random": _random,
}


def make_order(name: str, shape: Shape) -> Order:
    """The order of this name for items of this shape. Raises TokpressError where there is none.

    >>> make_order("zigzag", (3, 3)).tolist()
    [0, 1, 3, 6, 4, 2, 5, 7, 8]
    >>> make_order("top_bottom", (4, 2)).tolist()
    [0, 1, 6, 7, 2, 3, 4, 5]
    >>> make_order("random", (2, 3)).tolist(), make_order("random-2", (2, 3)).tolist()
    ([2, 4, 5, 1, 0, 3], [3, 0, 4, 5, 2, 1])
    """
    rows, columns, channels = (*shape, 1)[:3] if len(shape) > 1 else (1, shape[0], 1)
    if numbered := re.fullmatch(r"random-([1-9][0-9]{0,8})", name):
        pixels = _random(rows, columns, int(numbered[1]))
    elif name in ORDERS:
        pixels = ORDERS[name](rows, columns)
    else:
        raise TokpressError(f"no order is called {name!r}; there are: {', '.join(ORDERS)}, random-2, random-3, …")
    return (pixels[:, None] * channels + np.arange(channels)).reshape(-1)


def parse_shape(text: str, sides: int = 2) -> Shape:
    """ "28x28" → (28, 28): one to so many sides, and channels. Raises TokpressError.

    >>> parse_shape("32x32x3"), parse_shape("98"), parse_shape("")
    ((32, 32, 3), (98,), ())
    """
    if not text:
        return ()
    try:
        shape = tuple(int(part) for part in text.split("x"))
    except ValueError:
        shape = (0,)
    if not 1 <= len(shape) <= sides + 1 or min(shape) < 1 or math.prod(shape) > MAX_POSITIONS:
        raise TokpressError(
            f"{text!r} is no shape of an item; write {'FRAMESx' * (sides > 2)}ROWSxCOLUMNS, …xCHANNELS or LENGTH"
        )
    return shape


def parse_numbers(text: str) -> list[int]:
    """ "1,2,4" → [1, 2, 4]; nothing where these are no numbers, or too many.

    >>> parse_numbers("8,8"), parse_numbers("8,x")
    ([8, 8], [])
    """
    parts = str(text).split(",")
    try:
        return [int(part) for part in parts] if len(parts) <= MAX_NUMBERS else []
    except ValueError:
        return []


def arrange(tokens: NDArray[Scalar], order: Order) -> NDArray[Scalar]:
    """Tokens [N] of items one after the other, those of each in `order`. What comes before the first of ⌊N / item⌋ whole
    items, a file's header say, is coded after them."""
    lead = len(tokens) % len(order)
    return np.concatenate([tokens[lead:].reshape(-1, len(order))[:, order].reshape(-1), tokens[:lead]])


def restore(tokens: NDArray[Scalar], order: Order) -> NDArray[Scalar]:
    """The reverse of `arrange`.

    >>> order = make_order("random", (3, 3))
    >>> bool((restore(arrange(np.arange(40), order), order) == np.arange(40)).all())
    True
    """
    lead = len(tokens) % len(order)
    whole = tokens[: len(tokens) - lead].reshape(-1, len(order))[:, np.argsort(order)]
    return np.concatenate([tokens[len(tokens) - lead :], whole.reshape(-1)])


def subsample(items: NDArray[Scalar], shape: Shape, coarse: Shape) -> tuple[Order, NDArray[Scalar]]:
    """(positions [n] of the coarse grid in raster order, symbols there [B, n]) of items [B, N] of this shape: every
    (rows / coarse rows)-th pixel of every (columns / coarse columns)-th column.

    >>> subsample(np.arange(16)[None], (4, 4), (2, 2))[0].tolist()
    [0, 2, 8, 10]
    """
    if (
        len(shape) != len(coarse)
        or len(shape) < 2
        or any(a % b for a, b in zip(shape, coarse))
        or shape[2:] != coarse[2:]
    ):
        raise TokpressError(f"{coarse} is no subsample of {shape}: its sides should divide those")
    grid = np.arange(math.prod(shape)).reshape(shape)
    positions = grid[:: shape[0] // coarse[0], :: shape[1] // coarse[1]].reshape(-1)
    return positions, items[:, positions]
