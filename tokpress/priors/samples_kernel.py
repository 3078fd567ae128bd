"""One step of the prior over samples: a nibble of a residual, predicted by mixing (see `samples.py` for the idea).

    expert k    a logistic density at guess μ_k; its scale is the mean error of that guess where neighbours were as hard to
                guess. A node of the nibble's tree halves an interval of values [a, c) at b:
                p(1) = (F(c) − F(b)) / (F(c) − F(a)),   F(s) = 1 / (1 + e^(−(s − μ_k) / scale))
    context     bit histories, of residuals that came in similar surroundings (mixing.py)

F is taken from a table of 2^40 / (1 + e^x), on the side where its tail is small, so that far intervals keep their ratio.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..coding.coders.reference import pop
from .mixing import (
    BINS,
    Mixing,
    Nibble,
    ask_for_slots,
    find_slots,
    function,
    hash31,
    history_inputs,
    inline,
    is_unlikely,
    learn_histories,
    learn_weights,
    leaves,
    mix,
    open_tree,
)
from .prediction import AT, BEST, BITS, CENTRE, CHANNEL, FRACTION, PICTURE, Predictor, learn, predict

CONTEXTS = 5
MIXERS = 3
#: energies are binned by quarter octaves
ENERGIES = 96
#: what a mixer chooses its weights by: the energy, where the guess lies in the interval, the channel
SETS_ENERGY, SETS_PLACE, SETS_CHANNEL = ENERGIES // 4, 18 * 4, 4
#: the table of the logistic function: x / 1024, steps of 16, up to ±20
TAIL_STEP, TAIL_END = 4, 20 * 1024
#: 1.386 = 2 ln 2, the mean error of a logistic density of scale 1, and units: see `_open_sample`
INVERSE = (1 << 24) * 1386 // 1000
LEAST_SCALE = 6
RATE_LAST, RATE_EXTRA = 90, 700  # the second decays with the samples coded

# fields of the clock (int64 each). LOW: the lowest residual that the nibbles so far leave possible
PHASE, LOW, PREFIX, ENERGY, CODED, COUNT, RATE = range(7)
CLOCK_FIELDS = 8


class SampleState(NamedTuple):
    """K experts, C channels."""

    clock: NDArray[np.int64]
    predictor: Predictor
    mixing: Mixing
    nibble: Nibble
    hashes: NDArray[np.int64]  # [CONTEXTS]
    scales: NDArray[np.int64]  # [K, C, ENERGIES], mean errors · 16
    seen: NDArray[np.int64]  # [K, C, ENERGIES], how many
    inverse: NDArray[np.int64]  # [K], 1 / scale of this sample
    #: [K, 17, 2], 2^40 · p of values below, and not below, each sixteenth of the nibble's interval
    edges: NDArray[np.int64]
    tail: NDArray[np.int64]  # 2^40 / (1 + e^x)
    pmf: NDArray[np.float32]  # [1, 16]


@inline
def _class(x):
    """The sign and about the logarithm of x, 7 … 25; 16 is zero."""
    k = 0
    for least in (1, 2, 3, 5, 8, 13, 22, 40, 80):
        k += abs(x) >= least
    return (k if x > 0 else -k) + 16


@inline
def _bin(energy):
    """Four bins an octave, 0 … ENERGIES − 1."""
    n = 0
    x = energy
    while x >= 2:
        x >>= 1
        n += 1
    quarter = (energy << 2 >> n) & 3
    return min(4 * n + quarter, ENERGIES - 1)


@inline
def _tail(table, x):
    """2^40 / (1 + e^(x / 1024)); beyond ±20 as there."""
    y = min(max(x, 16 - TAIL_END), TAIL_END - 16) + TAIL_END
    i = y >> TAIL_STEP
    return table[i] + (((table[i + 1] - table[i]) * (y & 15)) >> TAIL_STEP)


@inline
def _open_sample(s):
    """The guesses of the next sample, the scales of their densities, and what its contexts are."""
    p = s.predictor
    predict(p)
    at, channel, centre = p.cursor[AT], p.cursor[CHANNEL], p.cursor[CENTRE]
    v, around = p.values, p.around
    west, north, north_west = v[at - around[0]], v[at - around[1]], v[at - around[2]]
    north_east = v[at - around[3]]
    experts = p.guesses.shape[0]
    errors = p.errors[experts - 1]  # of the blend
    energy = np.int64(0)
    for j in range(p.close.shape[1]):
        energy += p.closeness[channel, j] * np.int64(errors[at - p.close[channel, j]] >> 2)
    if p.shape[PICTURE]:
        rough = abs(np.int64(west) - north_west) + abs(np.int64(north) - north_west)
        energy += 16 * (rough + abs(np.int64(north) - north_east))
    bin = _bin(energy)
    s.clock[ENERGY] = bin
    for k in range(experts):
        s.inverse[k] = INVERSE // (s.scales[k, channel, bin] + LEAST_SCALE)
    own = (min(channel, 6) + 1) << 20
    best = p.cursor[BEST]
    west_error = _bin(np.int64(errors[at - around[0]] >> 2)) >> 1
    north_error = _bin(np.int64(errors[at - around[1]] >> 2)) >> 1
    east_error = _bin(np.int64(errors[at - around[3]] >> 2)) >> 1
    w, n = _class(west - centre), _class(north - centre)
    hashes = s.hashes
    hashes[0] = hash31(own + (bin << 4) + (((best + 32) & 63) >> 3))
    hashes[1] = hash31(own + w * 64 + n + 0x1000000)
    hashes[2] = hash31(own + (centre & 0xFFFF) + 0x2000000)
    hashes[3] = hash31(own + ((west & 255) * 256 + (north & 255)) + 0x3000000)
    hashes[4] = hash31(own + (west_error * 64 + north_error) * 64 + east_error + 0x4000000)
    s.clock[PHASE] = 0
    s.clock[PREFIX] = 0
    s.clock[LOW] = -(1 << (p.shape[BITS] - 1))


@inline
def _cut(s, k, value, edge):
    """Expert k's probabilities, times 2^40, of values below this one and of the others: `below` and `above` of the edge."""
    half = 1 << (s.predictor.shape[BITS] - 1)
    below, above = np.int64(0), np.int64(1) << 40
    if value >= half:  # there are no values beyond the range
        below, above = above, below
    elif value > -half:
        guess = s.predictor.guesses[k] + (1 << (FRACTION - 1))
        x = (((value << FRACTION) - guess) * s.inverse[k]) >> 10
        below, above = _tail(s.tail, -x), _tail(s.tail, x)
    s.edges[k, edge, 0] = below
    s.edges[k, edge, 1] = above


@inline
def _expert(s, k, low, middle, high):
    """p · 2^16 of the upper half of an interval between edges that are cut, stretched."""
    edges = s.edges[k]
    if edges[middle, 1] < edges[middle, 0]:  # the middle is above the guess: the tails above are the small numbers
        all_of, upper = edges[low, 1] - edges[high, 1], edges[middle, 1] - edges[high, 1]
    else:
        all_of, upper = edges[high, 0] - edges[low, 0], edges[high, 0] - edges[middle, 0]
    chance = 32768
    if all_of >= 64:
        chance = min(max(int(float(upper) * 65536.0 / float(all_of)), 16), 65520)
    return s.mixing.stretch[chance >> 4]


@inline
def _predict_nibble(s):
    p, clock, nibble, mixing = s.predictor, s.clock, s.nibble, s.mixing
    phase, bits = clock[PHASE], p.shape[BITS]
    phases = bits // 4
    experts = p.guesses.shape[0]
    centre = p.cursor[CENTRE]
    more = (phase + 1) * 0x1F3D5B7 + (clock[PREFIX] & 0xFFFF) * 0x10001 if phase else 0
    ask_for_slots(s.hashes, more, nibble, mixing.table)
    find_slots(nibble, mixing.table)
    left = bits - 4 * phase  # bits of the interval that the nibble cuts in 16
    low = centre + clock[LOW]
    place = (p.cursor[BEST] - (low << FRACTION) + (1 << (FRACTION - 1))) >> (FRACTION + left - 4)
    channel = min(p.cursor[CHANNEL], 3)
    nibble.sets[0] = phase * SETS_ENERGY + (clock[ENERGY] >> 2)
    nibble.sets[1] = phases * SETS_ENERGY + (phase * 18 + min(max(place, -1), 16) + 1) * 4 + channel
    nibble.sets[2] = phases * (SETS_ENERGY + SETS_PLACE) + phase * 4 + channel
    nibble.sets[3] = phase * 4 + channel
    base = nibble.sets[3] * 16 * BINS
    step = np.int64(1) << (left - 4)
    for k in range(experts):
        _cut(s, k, low, 0)
        _cut(s, k, low + 16 * step, 16)
    open_tree(nibble)
    for node in range(1, 16):
        if is_unlikely(node, nibble):
            continue
        level = (node >= 2) + (node >= 4) + (node >= 8)
        size = 16 >> level
        begin = (node - (1 << level)) * size
        middle = begin + (size >> 1)
        x = nibble.inputs[node]
        for k in range(experts):
            _cut(s, k, low + middle * step, middle)
            x[k] = _expert(s, k, begin, middle, begin + size)
        history_inputs(node, phase, phases, nibble.slots, mixing, x, experts)
        mix(node, base, nibble, mixing)
    leaves(nibble, s.pmf[0])


@inline
def _close_sample(s):
    """All nibbles of the sample are known."""
    p, clock = s.predictor, s.clock
    half = 1 << (p.shape[BITS] - 1)
    channel, bin = p.cursor[CHANNEL], clock[ENERGY]
    value = ((p.cursor[CENTRE] + clock[LOW] + half) & (2 * half - 1)) - half
    for k in range(p.guesses.shape[0]):
        error = abs((value << FRACTION) - p.guesses[k])
        n = s.seen[k, channel, bin]
        s.scales[k, channel, bin] += ((error << 4) - s.scales[k, channel, bin]) >> max(2, min(n, 7))
        s.seen[k, channel, bin] = n + 1
    learn(p, value)
    clock[CODED] += 1
    clock[RATE] = RATE_LAST + RATE_EXTRA * 256 // (256 + (clock[CODED] >> 3))


@function
def advance(symbol, s):
    """Learn the symbol that came (−1: none yet), then write the next pmf [1, 16]. After the last it stays as it is."""
    clock = s.clock
    phases = s.predictor.shape[BITS] // 4
    if clock[CODED] == clock[COUNT]:
        return
    fresh = symbol < 0
    if not fresh:
        learn_weights(symbol & 15, clock[RATE], s.nibble, s.mixing)
        learn_histories(symbol & 15, clock[PHASE], phases, s.nibble.slots, s.mixing)
        clock[LOW] += np.int64(symbol & 15) << (4 * (phases - 1 - clock[PHASE]))
        clock[PREFIX] = clock[PREFIX] * 16 + (symbol & 15)
        clock[PHASE] += 1
        if clock[PHASE] == phases:
            _close_sample(s)
            if clock[CODED] == clock[COUNT]:
                return
            fresh = True
    if fresh:
        _open_sample(s)
    _predict_nibble(s)


@function
def advance_known(previous, symbols, pmfs, s):
    """Several steps whose symbols [T] are known: pmfs [T, 1, 16]. The last symbol is not learned yet."""
    for t in range(symbols.shape[0]):
        advance(previous, s)
        for v in range(16):
            pmfs[t, 0, v] = s.pmf[0, v]
        previous = symbols[t]


@function
def advance_decoding(previous, words, decoder, out, s):
    """Several steps whose symbols out [T] are decoded one after the other; False where the words are damaged."""
    for t in range(out.shape[0]):
        advance(previous, s)
        symbol = pop(words, decoder, s.pmf[0])
        if symbol < 0:
            return False
        out[t] = symbol
        previous = symbol
    return True
