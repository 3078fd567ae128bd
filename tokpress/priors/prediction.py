"""Guesses of the next sample of a picture or a recording, from those before it (see `samples.py` for the idea).

Compiled loops. Floats are float64 here, and every number is still the same on every machine: + − × ÷ √ are rounded
correctly, a compiled loop runs in the order in which it is written, and nothing is fused (docs/exactness.md).

    least squares   μ = r + Σ_j w_j (x_j − r), the weights that would have been best for the samples before, older and
                    more distant ones counting less: A = Σ λ^age x xᵀ, b = Σ λ^age x s, (A + ridge) w = b by Cholesky
    tiles           A and b of each group of columns, which decay once a row, and the solution is of three neighbouring
                    groups together: what counts is near in both directions (Wu et al. 2000 solve from a window instead)
    filters         sign-sign LMS, each on what the guess before left over: w_i += rate · sign(rest) · sign(x_i)
    blend           Σ_k μ_k / (ε_k + 1)^4, ε_k being the errors of guess k close by

Guesses and errors are integers in 1/64 of a step of the samples.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy import int32, int64
from numpy.typing import NDArray

from .mixing import function, inline

FRACTION = 6
MOST_ERROR = 1 << 20
MOST_REST = 1 << 24
FURTHEST = 4.0e9  # of a guess from its reference, in steps of the samples
SINGULAR = 1e-9

# fields of a shape (int64 each)
CHANNELS, BITS, PICTURE, COLUMNS, STRIDE, PAD = range(6)
SHAPE_FIELDS = 8
# fields of a cursor (int64 each); CENTRE: the blend in whole steps
COLUMN, CHANNEL, AT, REFERENCE, BEST, CENTRE = range(6)
CURSOR_FIELDS = 8


class Predictor(NamedTuple):
    """C channels, K guesses of which the last is the blend, L least squares, N neighbours, F filters, W the window: the row
    that is being coded behind as many samples of the rows before as are looked at."""

    shape: NDArray[np.int64]
    cursor: NDArray[np.int64]
    values: NDArray[np.int32]  # [W], zero is the middle of their range
    errors: NDArray[np.int32]  # [K, W]
    guesses: NDArray[np.int64]  # [K]
    usual: NDArray[np.int64]  # [K, C], mean errors · 16
    around: NDArray[np.int64]  # [4], how far back W, N, NW, NE are
    close: NDArray[np.int64]  # [C, …], how far back the errors are that judge a guess
    closeness: NDArray[np.int64]  # [C, …], their weights
    near: NDArray[np.int64]  # [C, N], how far back the neighbours are
    neighbours: NDArray[np.int64]  # [C], how many there are
    x: NDArray[np.float64]  # [N]
    squares: NDArray[np.float64]  # [tiles of all, C, N, N], lower triangles
    products: NDArray[np.float64]  # [tiles of all, C, N]
    solution: NDArray[np.float64]  # [L, C, N]
    tiles: NDArray[np.int64]  # [L, 4]: how many, their columns, columns between two solutions, the first of them
    keep: NDArray[np.float64]  # [L], λ
    ridge: NDArray[np.float64]  # [L]
    room: NDArray[np.float64]  # [2, N, N]
    room_b: NDArray[np.float64]  # [N]
    taps: NDArray[np.int64]  # [F, 2]: how many, and their rate
    filters: NDArray[np.int32]  # [C, F, taps], 1.0 = 2^16
    recent: NDArray[np.int32]  # [C, F, 4 · taps], the newest first, from `newest` on
    newest: NDArray[np.int64]  # [C, F]
    parts: NDArray[np.int64]  # [F], what each filter adds


@inline
def median(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@inline
def _lowest(shape):
    return -(1 << (shape[BITS] - 1))


@function
def _solve(a, b, w, factor, n, ridge):
    """(a + ridge · 1) w = b by Cholesky's factors; w stays as it is where a is singular."""
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            if i == j:
                s = s + ridge
            for k in range(j):
                s = s - factor[i, k] * factor[j, k]
            if i == j:
                if not s > SINGULAR:
                    return
                factor[i, i] = math.sqrt(s)
            else:
                factor[i, j] = s / factor[j, j]
    for i in range(n):
        s = b[i]
        for k in range(i):
            s = s - factor[i, k] * w[k]
        w[i] = s / factor[i, i]
    for i in range(n - 1, -1, -1):
        s = w[i]
        for k in range(i + 1, n):
            s = s - factor[k, i] * w[k]
        w[i] = s / factor[i, i]


@inline
def _learn_squares(p, k, channel, column, target):
    """One more sample for least squares k; now and then the weights for those that follow."""
    n = p.neighbours[channel]
    count, width, every, origin = p.tiles[k, 0], p.tiles[k, 1], p.tiles[k, 2], p.tiles[k, 3]
    tile = origin + min(column // width, count - 1)
    a, b, x = p.squares[tile, channel], p.products[tile, channel], p.x
    keep = p.keep[k] if column % width == 0 else 1.0
    for i in range(n):
        for j in range(i + 1):
            a[i, j] = a[i, j] * keep + x[i] * x[j]
        b[i] = b[i] * keep + x[i] * target
    last = column == p.shape[COLUMNS] - 1
    if column % every != every - 1 and not last:
        return
    following = 0 if last else min((column + 1) // width, count - 1)
    total, total_b = p.room[0], p.room_b
    first, stop = origin + max(following - 1, 0), origin + min(following + 2, count)
    for i in range(n):
        for j in range(i + 1):
            total[i, j] = p.squares[first, channel, i, j]
            for t in range(first + 1, stop):
                total[i, j] = total[i, j] + p.squares[t, channel, i, j]
        total_b[i] = p.products[first, channel, i]
        for t in range(first + 1, stop):
            total_b[i] = total_b[i] + p.products[t, channel, i]
    _solve(total, total_b, p.solution[k, channel], p.room[1], n, p.ridge[k])


@inline
def _simple(which, p, at, channel):
    """Guesses without anything learned, as PNG, JPEG-LS and WebP have them, on the difference to the channel before."""
    v, around = p.values, p.around
    west, north, north_west = v[at - around[0]], v[at - around[1]], v[at - around[2]]
    north_east, north2 = v[at - around[3]], v[at - 2 * around[1] + around[0]]
    other = other_west = other_north = other_north_west = 0
    if channel:
        other, other_west, other_north = v[at - 1], v[at - 1 - around[0]], v[at - 1 - around[1]]
        other_north_west = v[at - 1 - around[2]]
    west, north, north_west = west - other_west, north - other_north, north_west - other_north_west
    if which == 0:
        return other + median(west, north, west + north - north_west)
    if which == 1:
        return other + ((west + north) >> 1) if channel else north + north_east - north2
    if which == 2:
        return other + west
    return other + north


@inline
def predict(p):
    """All guesses of the sample at the cursor."""
    shape, cursor = p.shape, p.cursor
    at, channel = cursor[AT], cursor[CHANNEL]
    lowest = _lowest(shape)
    highest = -1 - lowest
    guesses = p.guesses
    reference = int64(0)
    if shape[PICTURE]:
        reference = (int64(p.values[at - p.around[0]]) + int64(p.values[at - p.around[1]])) >> 1
    cursor[REFERENCE] = reference
    n = p.neighbours[channel]
    for j in range(n):
        p.x[j] = float(p.values[at - p.near[channel, j]] - reference)
    k = 0
    for which in range(p.solution.shape[0]):
        w = p.solution[which, channel]
        total = 0.0
        for j in range(n):
            total = total + w[j] * p.x[j]
        if not -FURTHEST < total < FURTHEST:
            total = 0.0
        guess = int64(math.floor(total * (1 << FRACTION) + 0.5)) + (reference << FRACTION)
        guesses[k] = min(max(guess, lowest << FRACTION), highest << FRACTION)
        k += 1
    for f in range(p.taps.shape[0]):
        w, recent, start = p.filters[channel, f], p.recent[channel, f], p.newest[channel, f]
        dot = int64(0)
        for j in range(p.taps[f, 0]):
            dot += int64(w[j]) * int64(recent[start + j])
        p.parts[f] = dot >> 16
        guesses[k] = min(max(guesses[k - 1] + p.parts[f], lowest << FRACTION), highest << FRACTION)
        k += 1
    for which in range(guesses.shape[0] - 1 - k):
        guesses[k] = int64(min(max(_simple(which, p, at, channel), lowest), highest)) << FRACTION
        k += 1
    above = below = 0.0
    for k in range(guesses.shape[0] - 1):
        judged = p.usual[k, channel]
        for j in range(p.close.shape[1]):
            judged += p.closeness[channel, j] * int64(p.errors[k, at - p.close[channel, j]])
        trust = 1.0 / (float(judged) + 1.0)
        trust = trust * trust
        trust = trust * trust
        above = above + trust * float(guesses[k])
        below = below + trust
    best = int64(math.floor(above / below + 0.5))
    guesses[guesses.shape[0] - 1] = best
    cursor[BEST] = best
    cursor[CENTRE] = min(max((best + (1 << (FRACTION - 1))) >> FRACTION, lowest), highest)


@inline
def _learn_filters(p, channel, rest):
    for f in range(p.taps.shape[0]):
        n, rate = p.taps[f, 0], p.taps[f, 1]
        w, recent, start = p.filters[channel, f], p.recent[channel, f], p.newest[channel, f]
        left = rest - p.parts[f]
        step = int32(rate) if left > 0 else int32(-rate if left < 0 else 0)
        for j in range(n):
            w[j] += step * int32((recent[start + j] > 0) - int32(recent[start + j] < 0))
        if start == 0:  # the room in front is used up
            top = 3 * n + 1
            for j in range(n - 1):
                recent[top + j] = recent[j]
            start = top
        start -= 1
        recent[start] = int32(min(max(rest, -MOST_REST), MOST_REST))
        p.newest[channel, f] = start
        rest = left


@inline
def learn(p, value):
    """The sample at the cursor is known: learn from it, and go on to the next."""
    shape, cursor = p.shape, p.cursor
    at, channel, column = cursor[AT], cursor[CHANNEL], cursor[COLUMN]
    p.values[at] = value
    for k in range(p.guesses.shape[0]):
        error = abs((int64(value) << FRACTION) - p.guesses[k])
        p.errors[k, at] = min(error, MOST_ERROR)
        p.usual[k, channel] += ((error << 4) - p.usual[k, channel]) >> 5
    for k in range(p.solution.shape[0]):
        _learn_squares(p, k, channel, column, float(value - cursor[REFERENCE]))
    if p.taps.shape[0]:
        _learn_filters(p, channel, (int64(value) << FRACTION) - p.guesses[p.solution.shape[0] - 1])
    cursor[AT] = at + 1
    cursor[CHANNEL] = channel + 1
    if channel + 1 == shape[CHANNELS]:
        cursor[CHANNEL] = 0
        cursor[COLUMN] = column + 1
        if column + 1 == shape[COLUMNS]:
            _next_row(p)


@inline
def _next_row(p):
    shape, cursor = p.shape, p.cursor
    stride, channels = shape[STRIDE], shape[CHANNELS]
    _go_on(p.values, shape)
    for k in range(p.errors.shape[0]):
        _go_on(p.errors[k], shape)
    cursor[COLUMN] = 0
    cursor[AT] = p.values.shape[0] - stride + shape[PAD] * channels


@inline
def _go_on(window, shape):
    """Forget the oldest row."""
    stride = shape[STRIDE]
    start = window.shape[0] - stride
    channels, pad = shape[CHANNELS], shape[PAD]
    end = start + (pad + shape[COLUMNS]) * channels
    for i in range(pad * channels):
        window[end + i] = window[end - channels + i % channels]
    for i in range(start):
        window[i] = window[i + stride]
    for i in range(pad * channels):  # the left of the new row is the first pixel of the one above
        window[start + i] = window[start - stride + pad * channels + i % channels]


@function
def residuals(values, out, p):
    """How far each sample [n] is from the centre of its guess, in the range of a sample (modulo 2^bits)."""
    lowest = _lowest(p.shape)
    mask = -2 * lowest - 1
    for i in range(values.shape[0]):
        predict(p)
        out[i] = int32(((int64(values[i]) - p.cursor[CENTRE] - lowest) & mask) + lowest)
        learn(p, values[i])


@function
def from_residuals(rest, out, p):
    """The reverse of `residuals`."""
    lowest = _lowest(p.shape)
    mask = -2 * lowest - 1
    for i in range(rest.shape[0]):
        predict(p)
        out[i] = int32(((int64(rest[i]) + p.cursor[CENTRE] - lowest) & mask) + lowest)
        learn(p, out[i])
