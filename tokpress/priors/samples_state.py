"""What the kernels of `samples.py` work on: which neighbours and filters a grid of samples gets, and room for them."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from .adaptive import make_mixing, make_nibbles

MAX_SLOTS_LOG2 = 20
#: pixels at each side of a row that repeat its end, so that neighbours need no looking at edges
PAD = 4
#: neighbours of a picture's sample (columns to the left, rows up), then of the channels coded before and after it
OWN = [(1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2), (2, 1), (-2, 1), (3, 0), (1, 2), (-1, 2), (2, 2), (-2, 2), (0, 3),
       (3, 1), (-3, 1)]  # fmt: skip
EARLIER = [(0, 0), (1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2)]
LATER = [(1, 0), (0, 1), (1, 1), (-1, 1)]
#: of a recording: samples of its own channel and of each other one
LAGS, OTHER_LAGS, MOST_NEIGHBOURS = 32, 16, 48
#: samples of a recording that are kept in one piece
CHUNK = 4096
#: columns whose statistics decay together, most of such groups in all channels, how much they do in a row, and columns
#: between two solutions
TILE, MOST_TILES, KEEP_ROW, EVERY_TILE = 8, 3072, 0.8, 8
KEEP_PICTURE, KEEP_SOUND, EVERY_SAMPLE = 0.9998, 0.998, 16
RIDGE_PICTURE, RIDGE_SOUND = 4.0, 500.0
#: taps of each filter of a recording, and how fast it learns
FILTERS = [(1024, 2), (256, 4), (32, 8)]
SIMPLE = 4


@lru_cache(maxsize=1)
def tail_table() -> NDArray[np.int64]:
    """2^40 / (1 + e^x) for x = −20, −20 + 1/64, … 20, by fixed-point arithmetic in Python integers.

    >>> table = tail_table(); len(table), int(table[0]), int(table[1280]), int(table[2560])
    (2561, 1099511625510, 549755813888, 2266)
    """
    one = 1 << 96
    step, term, k = 0, one, 0  # e^(1/64) = Σ (1/64)^k / k!
    while term:
        step += term
        k += 1
        term //= 64 * k
    power, upper = one, []
    for _ in range(1281):
        upper.append((one << 40) // (one + power))
        power = power * step >> 96
    return np.array([(1 << 40) - y for y in upper[:0:-1]] + upper, np.int64)


def _near(grid: Grid, channel: int, stride: int) -> list[int]:
    """How far back the neighbours are."""
    channels = grid.channels
    if not grid.picture:
        own = [channels * (i + 1) for i in range(LAGS)]
        others = [d + channels * i for i in range(OTHER_LAGS) for d in range(1, channels)]
        return (own + others)[:MOST_NEIGHBOURS]
    near = [channels * left + stride * up for left, up in OWN]
    for other in range(channel - 1, max(-1, channel - 4), -1):
        near += [channel - other + channels * left + stride * up for left, up in EARLIER]
    for other in range(channel + 1, min(channels, channel + 3)):
        near += [channel - other + channels * left + stride * up for left, up in LATER]
    return near[:MOST_NEIGHBOURS]


def make_predictor(grid: Grid) -> Any:
    from .prediction import AT, CURSOR_FIELDS, SHAPE_FIELDS, Predictor

    channels, picture = grid.channels, grid.picture
    columns, pad = (grid.columns, PAD) if picture else (CHUNK, 0)
    stride = (columns + 2 * pad) * channels
    margin = 3 * stride + channels if picture else 64 * channels
    near = [_near(grid, c, stride) for c in range(channels)]
    most = max(map(len, near))
    if picture:
        count = min(-(-columns // TILE), MOST_TILES // channels)
        width = max(TILE, -(-columns // count))
        squares = [(count, width, EVERY_TILE, KEEP_ROW), (1, 1, EVERY_SAMPLE, KEEP_PICTURE)]
        close = [[channels, stride, stride + channels, stride - channels, *range(1, c + 1)] for c in range(channels)]
        closeness = [[2, 2, 1, 1] + [2] * c for c in range(channels)]
        around = [channels, stride, stride + channels, stride - channels]
        filters: list[tuple[int, int]] = []
    else:
        squares, filters = [(1, 1, EVERY_SAMPLE, KEEP_SOUND)], FILTERS
        close = [[channels * (i + 1) for i in range(16)]] * channels
        closeness = [[4, 3, 3, 2, 2, 2, *[1] * 10]] * channels
        around = [channels * back for back in (1, 2, 3, 2)]
    most_close = max(map(len, close))
    count, tiles = len(squares), sum(each[0] for each in squares)
    firsts = [0, squares[0][0]]
    guesses = count + len(filters) + SIMPLE * picture + 1
    taps = max([n for n, _ in filters], default=0)
    cursor = np.zeros(CURSOR_FIELDS, np.int64)
    cursor[AT] = margin + pad * channels
    solution = np.zeros((count, channels, most))
    solution[:, :, 0] = 0.5 if picture else 1.0
    return Predictor(
        shape=_padded([channels, grid.bits, picture, columns, stride, pad], SHAPE_FIELDS),
        cursor=cursor,
        values=np.zeros(margin + stride, np.int32),
        errors=np.zeros((guesses, margin + stride), np.int32),
        guesses=np.zeros(guesses, np.int64),
        usual=np.full((guesses, channels), _first_error(grid), np.int64),
        around=np.array(around, np.int64),
        close=np.array([_padded(each, most_close, channels) for each in close]),
        closeness=np.array([_padded(each, most_close) for each in closeness]),
        near=np.array([_padded(each, most) for each in near]),
        neighbours=np.array([len(each) for each in near], np.int64),
        x=np.zeros(most),
        squares=np.zeros((tiles, channels, most, most)),
        products=np.zeros((tiles, channels, most)),
        solution=solution,
        tiles=np.array([[*each[:3], first] for each, first in zip(squares, firsts)], np.int64),
        keep=np.array([each[3] for each in squares]),
        ridge=np.full(count, RIDGE_PICTURE if picture else RIDGE_SOUND),
        room=np.zeros((2, most, most)),
        room_b=np.zeros(most),
        taps=np.array(filters, np.int64).reshape(-1, 2),
        filters=np.zeros((channels, len(filters), taps), np.int32),
        recent=np.zeros((channels, len(filters), 4 * taps), np.int32),
        newest=np.array([[3 * n for n, _ in filters]] * channels, np.int64).reshape(channels, -1),
        parts=np.zeros(len(filters), np.int64),
    )


def _first_error(grid: Grid) -> int:
    return 1024 * (4 if grid.bits == 8 else 200)


def make_state(grid: Grid) -> Any:
    from . import samples_kernel as kernel
    from .mixing import Nibble

    predictor = make_predictor(grid)
    experts, phases = len(predictor.guesses), grid.bits // 4
    contexts, mixers = kernel.CONTEXTS, kernel.MIXERS
    bias = experts + 2 * contexts
    inputs = -(-(bias + 1) // 8) * 8  # whole SIMD registers
    first = np.zeros(inputs, np.int32)
    first[:experts] = 52429 // experts  # 0.8 in all
    first[experts : experts + 2 * contexts : 2] = 1311  # 0.02 each
    slots_log2 = min(max((grid.samples * phases * contexts).bit_length(), 10), MAX_SLOTS_LOG2)
    clock = np.zeros(kernel.CLOCK_FIELDS, np.int64)
    clock[kernel.COUNT] = grid.samples
    clock[kernel.RATE] = kernel.RATE_LAST + kernel.RATE_EXTRA
    sets = phases * (kernel.SETS_ENERGY + kernel.SETS_PLACE + kernel.SETS_CHANNEL)
    shape = (experts, grid.channels, kernel.ENERGIES)
    return kernel.SampleState(
        clock=clock,
        predictor=predictor,
        mixing=make_mixing(
            slots_log2, contexts * phases, first, sets, mixers, 4 * phases, 4 * phases
        ),
        nibble=Nibble(*(array[0] for array in make_nibbles(1, contexts, inputs, mixers, bias))),
        hashes=np.zeros(contexts, np.int64),
        scales=np.full(shape, _first_error(grid), np.int64),
        seen=np.zeros(shape, np.int64),
        inverse=np.zeros(experts, np.int64),
        edges=np.zeros((experts, 17, 2), np.int64),
        tail=tail_table(),
        pmf=np.zeros((1, 16), np.float32),
    )  # fmt: skip


def _padded(numbers: list, size: int, filling: int = 0) -> NDArray[np.int64]:
    return np.array([*numbers, *[filling] * (size - len(numbers))], np.int64)
