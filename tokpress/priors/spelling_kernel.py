"""Tokens spelled bit by bit, for all lanes, in integers only (see `spelling.py` for the idea).

The lanes are handled one after the other, each with the whole token of a step, so the tables they share change in one fixed
order. Bits are numbered by the nodes of a nibble's tree, 1 … 15 (`mixing.py`); whether a token ends is bit 0.
"""

import math

import numpy as np
from numpy import int32, int64

from ..coding.coders.reference import pop
from .adaptive_kernel import (
    BIAS,
    CODED,
    EXPECTED,
    HIGH,
    MATCH,
    RATE,
    SETS_BYTE,
    SETS_MATCH,
    WIDTH,
    choose_sets,
    learn_match,
    match_inputs,
    next_byte,
    nibble_of,
)
from .mixing import (
    CENTRE,
    LIMIT,
    ask_for_slots,
    find_slots,
    function,
    hash31,
    history_inputs,
    inline,
    learn_histories,
    learn_node,
    predict,
)

#: inputs of the text model's: x and confidence, as of each context
TEXT = BIAS + 1
#: a third mixer chooses its weights by how sure the text model is
SETS_TEXT = 24
MIXERS = 3
#: which of a byte's contexts say whether a token ends, and the bits of the table of what they have seen
ENDS = (3, 4, 5, 7)
RATE_LAST, RATE_EXTRA = 60, 500
WHOLE = np.float32(1 << 30)
#: tokens between two sums that are kept
TOGETHER = 16
FRACTION = 12  # of a logarithm: 2^-12 nats
LOG_TWO = 2839  # ln 2
#: contexts of this lane alone take the place of others: order 6, 2, 3 and 4, and the word. Lanes read different places of the
#: file side by side, and what follows a context here is likelier to follow it again than what follows it there
LOCAL = ((0, 5), (8, 2), (9, 3), (10, 4), (11, 6))
KNOWN, DECODED, DRAWN = range(3)


@function
def take(pmf, order, masses, sums, start, stop):
    """The pmf [n, V] of lanes start … stop − 1. masses [B, V] int32: 2^30 · p of each symbol; none has nothing. sums [B, …]: of
    all before every TOGETHER-th one, in the order of their spelling."""
    for r in range(start, stop):
        p, mass, total, v = pmf[r - start], masses[r], int32(0), 0
        for i in range(p.shape[0]):
            mass[i] = int32(p[i] * WHOLE) + int32(1)
        for block in range(order.shape[0] // TOGETHER):
            sums[r, block] = total
            some, even, odd = order[v : v + TOGETHER], int32(0), int32(0)
            for i in range(0, TOGETHER, 2):
                even, odd = int32(even + mass[some[i]]), int32(odd + mass[some[i + 1]])
            total = int32(total + int32(even + odd))
            v += TOGETHER
        sums[r, order.shape[0] // TOGETHER] = total


@inline
def _before(token, r, state):
    """2^30 · Σ p of all tokens before this one, in the order of their spelling."""
    first = token // TOGETHER
    total = int64(state.sums[r, first])
    for i in range(first * TOGETHER, token):
        total += state.masses[r, state.trie.order[i]]
    return total


@inline
def _logarithm(mass, logarithms):
    mantissa, exponent = math.frexp(float(mass))
    return logarithms[int(mantissa * 2048) - 1024] + exponent * LOG_TWO


@inline
def _text_inputs(node, zero, one, nibble, state):
    """The odds that the text model gives this bit, and the weights that go with them."""
    x = (_logarithm(one, state.logarithms) - _logarithm(zero, state.logarithms)) >> (FRACTION - 8)
    x = min(max(x, -LIMIT), LIMIT)
    nibble.inputs[node, TEXT] = x
    nibble.inputs[node, TEXT + 1] = (state.bytes.mixing.squash[x + CENTRE] - 32768) >> 5
    nibble.sets[MIXERS - 1] = SETS_MATCH + SETS_BYTE + (abs(x) >> 7)


@inline
def _choose(mode, wanted, p, k, choices):
    """The k-th bit, of probability p · 2^-16: known, decoded or drawn; −1 where the words are damaged."""
    row = choices.rows[k]
    row[1] = np.float32(p) * np.float32(1.0 / 65536)
    row[0] = np.float32(1) - row[1]
    bit = wanted
    if mode == DECODED:
        bit = pop(choices.words, choices.decoder, row)
    elif mode == DRAWN:
        one, zero = (p / 65536) ** choices.power, (1 - p / 65536) ** choices.power
        bit = int(choices.uniform[k] * (one + zero) < one)
    choices.bits[k] = bit
    return bit


@function
def _end(mode, node, wanted, r, k, choices, state):
    """Whether the token ends at this node, where longer ones go on."""
    lane, nibble, mixing, edges = (
        state.bytes.lanes[r],
        nibble_of(0, state.bytes),
        state.bytes.mixing,
        state.trie.edges[node],
    )
    own = state.trie.own[node]
    inputs = nibble.inputs[0]
    inputs[MATCH] = 0
    if lane[EXPECTED] >= 0:
        inside = state.trie.child[node, lane[EXPECTED] >> 4]
        goes_on = inside > 0 and state.trie.child[inside, lane[EXPECTED] & 15] > 0
        inputs[MATCH] = -256 if goes_on else 256
    for i in range(len(ENDS)):
        at = (state.bytes.hashes[r, ENDS[i]] * 0x2C1B3C6D >> 7) & (state.ends.shape[0] - 1)
        state.at_end[i] = at
        p, n = state.ends[at] >> 10, state.ends[at] & 1023
        inputs[2 * i] = mixing.stretch[p >> 10] if n else 0
        inputs[2 * i + 1] = ((p >> 6) - 32768) >> 5 if n else 0
    base = choose_sets(0, lane, nibble)
    longer = _before(edges[16], r, state) - _before(edges[0], r, state)
    _text_inputs(0, longer, int64(state.masses[r, state.trie.order[own]]), nibble, state)
    bit = _choose(mode, int(own == wanted), predict(0, base, nibble, mixing), k, choices)
    if bit >= 0:
        learn_node(0, bit, state.bytes.clock[RATE], nibble, mixing)
        for i in range(len(ENDS)):
            p, n = state.ends[state.at_end[i]] >> 10, state.ends[state.at_end[i]] & 1023
            p += (((bit << 22) - p) * mixing.reciprocal[n]) >> 16
            state.ends[state.at_end[i]] = (p << 10) + min(n + 1, 127)
    return bit


@function
def _nibble(mode, phase, node, wanted, r, k, choices, state):
    """(the symbol 0 … 15, or −1 where the words are damaged; how many choices there have been)"""
    lane, nibble, mixing, edges = (
        state.bytes.lanes[r],
        nibble_of(0, state.bytes),
        state.bytes.mixing,
        state.trie.edges[node],
    )
    more = (lane[HIGH] + 1) * 0x1F3D5B7 if phase else 0
    ask_for_slots(state.bytes.hashes[r], more, nibble, mixing.table)
    find_slots(nibble, mixing.table)
    match_inputs(phase, lane, nibble.inputs, mixing, state.bytes.match_maps)
    base = choose_sets(phase, lane, nibble)
    at, before, after = int64(1), _before(edges[0], r, state), _before(edges[16], r, state)
    for level in range(4):
        first = (at << (4 - level)) - 16
        left, middle, right = edges[first], edges[first + (8 >> level)], edges[first + (16 >> level)]
        if left == middle or middle == right:  # no token goes there
            at = 2 * at + (left == middle)
            continue
        history_inputs(at, phase, 2, nibble.slots, mixing, nibble.inputs[at], 0)
        between = _before(middle, r, state)
        _text_inputs(at, between - before, after - between, nibble, state)
        bit = _choose(mode, int(wanted >= middle), predict(at, base, nibble, mixing), k, choices)
        if bit < 0:
            return -1, k
        learn_node(at, bit, state.bytes.clock[RATE], nibble, mixing)
        before, after = (between, after) if bit else (before, between)
        at, k = 2 * at + bit, k + 1
    learn_histories(at - 16, phase, 2, nibble.slots, mixing)
    learn_match(at - 16, phase, lane, state.bytes.match_maps)
    return at - 16, k


@function
def spell(mode, start, stop, ends, symbols, choices, state):
    """One token of lanes start … stop − 1, the last ones of a step if it `ends`: symbols [n] are coded, or are written. Returns how
    many choices that took; they and their probabilities are in `choices`. −1 where the words are damaged."""
    # int64(0): of a plain 0, numba would compile what is called once more, for the literal
    k, clock, width = int64(0), state.bytes.clock, state.bytes.clock[WIDTH]
    for r in range(start, stop):
        lane = state.bytes.lanes[r]
        wanted = state.trie.rank[symbols[r]] if mode == KNOWN else 0
        node = int64(0)
        while True:
            own = state.trie.own[node]
            if own >= 0:
                if state.trie.edges[node, 0] == state.trie.edges[node, 16]:  # nothing longer begins so
                    break
                bit = _end(mode, node, wanted, r, k, choices, state)
                if bit < 0:
                    return -1
                k += 1
                if bit:
                    break
            for phase in range(2):
                symbol, k = _nibble(mode, phase, node, wanted, r, k, choices, state)
                if symbol < 0:
                    return -1
                node = state.trie.child[node, symbol]
                if phase == 0:
                    lane[HIGH] = symbol
            column = state.bytes.reached[r] + 1
            state.bytes.reached[r] = column
            next_byte(lane[HIGH] * 16 + symbol, column, r * width + column + 1, width, lane, state.bytes.hashes[r],
                      state.bytes.history, state.bytes.heads, state.bytes.reached)  # fmt: skip
            own_lane = hash31(r + 0x7654321)
            for i in range(len(LOCAL)):
                state.bytes.hashes[r, LOCAL[i][0]] = hash31(state.bytes.hashes[r, LOCAL[i][1]] + own_lane)
            clock[CODED] += 1
        symbols[r] = state.trie.order[state.trie.own[node]]
        choices.stops[r - start] = k
    if ends:
        clock[RATE] = RATE_LAST + RATE_EXTRA * 256 // (256 + (clock[CODED] >> 4))
    return k
