"""One step of the context-mixing model, for all lanes, in integers only (see `adaptive.py` for the idea).

Numbers and their units
    stretched probability x = ln(p / (1 − p)) · 256, clamped to ±LIMIT · squash is its inverse, p · 2^16
    weight                  1.0 = 2^16
    bit history             a state 0 … 255 of `adaptive.bit_histories`: counts of zeros and ones, and the last bit
    node                    1 … 15 of the binary tree over one nibble; its children are 2·node + bit
    phase                   0 while the high nibble of a byte is coded, 1 while the low one is

A slot is 16 bytes: a check byte and the bit histories of the 15 nodes, in one quarter of a cache line.
The lanes are handled one after the other, so the tables they share change in one fixed order. The sizes
of all numbers are bounded: nothing here may overflow, round, or depend on the CPU. `int32(…)` around
every operation of an inner loop lets LLVM use 16 lanes of SIMD where numba would widen to 64 bits.
"""

import numpy as np
from numba import njit
from numpy import int32

from ..coders.reference import pop
from ..exact import jit
from ..exact.prefetch import prefetch

CONTEXTS = 12
#: inputs of a mixer, per node: (x, confidence) of each context and of the match, a constant, and 5 unused
#: so that a dot product is a whole number of SIMD registers
MATCH = 2 * CONTEXTS
BIAS = MATCH + 2
INPUTS = 32
#: two mixers see the same inputs: one picks its weights by the match, one by the last byte (and the phase)
BUCKETS = 32  # of match lengths
SETS_MATCH, SETS_BYTE = 2 * BUCKETS, 2 * 256
SETS_NIBBLE = 17  # 0 in phase 0, 1 + the high nibble in phase 1: for the final mixer and the correction
MIXERS = 2
LIMIT = 2815
CENTRE = 3072  # squash[x + CENTRE]
BINS = 24  # of the final correction, 256 units of x each
LONGEST = 32  # bytes compared when a match is looked up
SHORTEST = 4
PATIENCE = 8  # failed predictions before a match is given up
HEAVIEST = int32(8 << 16)  # 8.0: with Σ_i |x_i| < 2^16 a dot product of weights >> 4 stays below 2^31
HALF = int32(1 << 11)
RATE_LAST, RATE_EXTRA, FINAL_RATE = 90, 700, 24  # the first decays with the bytes coded
SMALL_ERROR = 256  # 2^-8
UNLIKELY = 1 << 22  # of 2^30: below a node this unlikely nothing is predicted in detail, to save time
MIN_P = 4  # of 2^16, at every node
FLOOR = 64  # 2^-24, the coder's own least probability
UNIT = np.float32(2.0**-30)

# fields of a lane (int64 each); SET0 … SET0 + MIXERS − 1 are the weight sets in use
LAST4, BEFORE4, WORD, OLDER_WORD, POINTER, LENGTH, MISSES, EXPECTED, BUCKET, HIGH, NIBBLE, SET0 = range(12)
FIELDS = 16
# fields of the clock (int64 each)
PHASE, COLUMN, WIDTH, RATE, CODED = range(5)
CLOCK_FIELDS = 8

_inline = njit(inline="always", boundscheck=False)
_function = jit.njit(nogil=True, boundscheck=False, **jit.NO_ALLOCATION)


@_inline
def _hash(x):
    """31 bits from 32; products stay below 2^62."""
    x = (x & 0x7FFFFFFF) * 0x2C1B3C6D
    x = (x ^ (x >> 31)) & 0x7FFFFFFF
    x = x * 0x297A2D39
    return (x ^ (x >> 29)) & 0x7FFFFFFF


@_inline
def _line(table, key):
    """Where the four slots begin of which a context may have one: a cache line."""
    return (key & (table.shape[0] // 64 - 1)) << 6


@_function
def _find_slot(table, key):
    """Where the slot of a context lies; a new one takes the place of the least used of four."""
    line = _line(table, key)
    check = (key >> 23) & 255
    least = 256
    slot = line
    for at in range(line, line + 64, 16):
        if table[at] == check:
            return at
        if table[at + 1] < least:  # history states are numbered by how much they have seen
            least = table[at + 1]
            slot = at
    for k in range(1, 16):
        table[slot + k] = 0
    table[slot] = check
    return slot


@_function
def _learn(symbol, clock, lane, slots, inputs, mixed, final, table, maps, inputs_of, match_maps, weights, final_weights,
           correction, correction_at, stretch, squash, next_state, reciprocal):  # fmt: skip
    """Move everything on the symbol's path through the tree towards what happened."""
    phase = clock[PHASE]
    node = 1
    for level in range(4):
        if correction_at[node] < 0:
            break
        bit = (symbol >> (3 - level)) & 1
        target = bit << 16
        final_error = (target - final[0, node]) * FINAL_RATE
        v = final_weights[lane[NIBBLE], node]
        x = inputs[node]
        for m in range(MIXERS):
            change = (mixed[m, node] * final_error + (1 << 19)) >> 20
            v[m] = min(max(v[m] + change, -HEAVIEST), HEAVIEST)
            w = weights[lane[SET0 + m], node]
            error = target - squash[mixed[m, node] + CENTRE]
            if -SMALL_ERROR < error < SMALL_ERROR:
                continue  # little to learn, and time saved where the data is predictable
            step = int32((error * clock[RATE]) >> 12)
            for i in range(INPUTS):
                change = int32(int32(int32(x[i] * step) + HALF) >> 12)
                w[i] = min(max(int32(w[i] + change), -HEAVIEST), HEAVIEST)
        at = correction_at[node]
        correction[at] += (target - final[0, node] - (correction[at] >> 1)) >> 6  # half of it was applied
        node = 2 * node + bit
    for i in range(CONTEXTS):
        slot = slots[i]
        histories = table[slot : slot + 16]
        p_of = maps[2 * i + phase]
        as_input = inputs_of[2 * i + phase]
        node = 1
        for level in range(4):
            bit = (symbol >> (3 - level)) & 1
            state = histories[node]
            histories[node] = next_state[state, bit]
            p = p_of[state] >> 10  # 22 bits, above a 10-bit count
            n = p_of[state] & 1023
            p += (((bit << 22) - p) * reciprocal[n]) >> 16
            p_of[state] = (p << 10) + min(n + 1, 1023)
            as_input[state, 0] = stretch[p >> 10]
            as_input[state, 1] = ((p >> 6) - 32768) >> 5 if state else 0
            node = 2 * node + bit
    if lane[EXPECTED] >= 0:
        expected = (lane[EXPECTED] >> (4 - 4 * phase)) & 15
        for level in range(4):
            hit = (symbol >> (3 - level)) & 1 == (expected >> (3 - level)) & 1
            at = (lane[BUCKET] * 2 + phase) * 4 + level
            match_maps[at] += ((hit << 16) - match_maps[at]) >> 6
            if not hit:
                lane[EXPECTED] = -1
                lane[LENGTH] = 0
                lane[MISSES] += 1
                break


@_function
def _follow_match(lane, column, here, width, history, heads):
    """Keep or look up the place in the shared history after which the last bytes came before."""
    place = lane[POINTER]
    if place > 0:
        place += 1
    if lane[LENGTH] > 0:
        lane[LENGTH] = min(lane[LENGTH] + 1, 65535)
        if lane[LENGTH] >= 16:
            lane[MISSES] = 0
    head = _hash(_hash(lane[LAST4]) + (lane[BEFORE4] & 255) * 0x10001 + 77) & (heads.shape[0] - 1)
    if lane[LENGTH] == 0 and column >= SHORTEST:
        found = heads[head]
        length = 0
        while (length < LONGEST and length < found and length <= column
               and history[found - 1 - length] == history[here - 1 - length]):  # fmt: skip
            length += 1
        if length >= SHORTEST:
            place = found
            lane[LENGTH] = length
            lane[MISSES] = 0
        elif place > 0 and lane[MISSES] < PATIENCE:
            lane[LENGTH] = 1  # one differing byte does not end a match: a record goes on after its number
        else:
            place = 0
    heads[head] = here
    lane[POINTER] = place
    length = lane[LENGTH]
    lane[EXPECTED] = -1
    lane[BUCKET] = 0
    if length > 0:
        if place < history.shape[0] and place % width <= column:  # every lane has coded columns 0 … column
            lane[EXPECTED] = history[place]
            lane[BUCKET] = 1 + length if length < 16 else min(13 + (length >> 2), 19 + (length >> 4), 28)
        else:
            lane[LENGTH] = 0


@_function
def _next_byte(byte, column, here, width, lane, hashes, history, heads):
    """The whole byte is known: store it, and hash the contexts of the next one."""
    history[here - 1] = byte
    lane[BEFORE4] = ((lane[BEFORE4] << 8) | (lane[LAST4] >> 24)) & 0xFFFFFFFF
    lane[LAST4] = ((lane[LAST4] << 8) | byte) & 0xFFFFFFFF
    letter = byte + 32 if 65 <= byte <= 90 else byte
    if 97 <= letter <= 122 or byte >= 128:
        lane[WORD] = _hash(lane[WORD] * 32 + letter + 1)
    elif lane[WORD] != 0:
        lane[OLDER_WORD] = lane[WORD]
        lane[WORD] = 0
    _follow_match(lane, column, here, width, history, heads)
    last = lane[LAST4]
    before = lane[BEFORE4]
    order4 = _hash(_hash(last & 0xFFFFFF) + (last >> 24))
    hashes[0] = 0  # order 0: only what the nibbles of this byte say
    hashes[1] = _hash(byte + 0x100)
    hashes[2] = _hash((last & 0xFFFF) + 0x1000000)
    hashes[3] = _hash((last & 0xFFFFFF) + 0x2000000)
    hashes[4] = _hash(order4 + 0x3000000)
    hashes[5] = _hash(order4 + (before & 0xFFFF) + 0x4000000)  # order 6
    hashes[6] = _hash(lane[WORD] + byte * 0x10001 + 0x5000000)
    hashes[7] = _hash(lane[WORD] + _hash(lane[OLDER_WORD] + 0x6000000) + byte)
    hashes[8] = _hash((last & 0xFFFF00) + 0x7000001)  # the bytes 2 and 3 back
    hashes[9] = _hash((last >> 16) + 0x8000003)  # 3 and 4 back
    hashes[10] = _hash((last >> 24) + (before >> 24) * 256 + (((column + 1) & 3) << 16) + 0x9000005)  # records
    hashes[11] = _hash((last & 0xF0F0F0F0) + 0xE000005)  # the kinds of the last four characters


@_function
def _predict(clock, lane, slots, inputs, mixed, final, table, inputs_of, match_maps, weights, final_weights,
             correction, correction_at, stretch, squash, pmf):  # fmt: skip
    phase = clock[PHASE]
    for node in range(1, 16):
        inputs[node, MATCH] = 0
        inputs[node, MATCH + 1] = 0
    if lane[EXPECTED] >= 0:
        expected = (lane[EXPECTED] >> (4 - 4 * phase)) & 15
        node = 1
        for level in range(4):
            p = match_maps[(lane[BUCKET] * 2 + phase) * 4 + level]
            bit = (expected >> (3 - level)) & 1
            sign = 2 * bit - 1
            inputs[node, MATCH] = sign * stretch[p >> 4]
            inputs[node, MATCH + 1] = sign * ((p - 32768) >> 5)
            node = 2 * node + bit
    bucket = lane[BUCKET] if lane[EXPECTED] >= 0 else 0
    nibble = phase * (lane[HIGH] + 1)
    lane[NIBBLE] = nibble
    lane[SET0] = bucket * 2 + phase
    lane[SET0 + 1] = SETS_MATCH + phase * 256 + (lane[LAST4] & 255)
    correction_base = (bucket * SETS_NIBBLE + nibble) * 16 * BINS
    # 2^30 is shared out down the tree, so the 16 leaves sum to 2^30 exactly; none gets less than FLOOR
    share_of = final[1]
    share_of[1] = (1 << 30) - 16 * FLOOR
    for node in range(1, 16):
        if share_of[node] < UNLIKELY:
            correction_at[node] = -1
            share_of[2 * node + 1] = share_of[node] >> 1
            share_of[2 * node] = share_of[node] - (share_of[node] >> 1)
            continue
        x = inputs[node]
        for i in range(CONTEXTS):
            state = table[slots[i] + node]
            x[2 * i] = inputs_of[i * 2 + phase, state, 0]
            x[2 * i + 1] = inputs_of[i * 2 + phase, state, 1]
        total = 0
        for m in range(MIXERS):
            w = weights[lane[SET0 + m], node]
            dot = int32(0)
            for i in range(x.shape[0]):  # not INPUTS: LLVM would unroll it instead of using SIMD
                dot = int32(dot + int32(int32(w[i] >> 4) * x[i]))
            dot = min(max(dot >> 12, -LIMIT), LIMIT)
            mixed[m, node] = dot
            total += final_weights[nibble, node, m] * dot
        total = min(max(total >> 16, -LIMIT), LIMIT) + CENTRE
        # what really happened when the mixers said this, interpolated between two bins
        at = correction_base + node * BINS + (total >> 8)
        share = total & 255
        shift = (correction[at] * (256 - share) + correction[at + 1] * share) >> 8
        correction_at[node] = at + (share >> 7)
        final[0, node] = min(max(squash[total] + (shift >> 1), MIN_P), 65536 - MIN_P)
        one = (share_of[node] * final[0, node]) >> 16
        share_of[2 * node + 1] = one
        share_of[2 * node] = share_of[node] - one
    for k in range(16):
        pmf[k] = np.float32(share_of[16 + k] + FLOOR) * UNIT


@_function
def advance(previous, rows, clock, lanes, hashes, slots, history, heads, table, inputs, mixed, final, maps, inputs_of,
            match_maps, weights, final_weights, correction, correction_at, stretch, squash, next_state,
            reciprocal, pmf):  # fmt: skip
    """Learn the symbols `previous` [n] in lane order, then write the next pmf [rows, 16]; n, rows ≤ B."""
    n = previous.shape[0]
    width = clock[WIDTH]
    for r in range(n):
        _learn(previous[r] & 15, clock, lanes[r], slots[r], inputs[r], mixed[r], final[r], table, maps, inputs_of,
               match_maps, weights, final_weights, correction, correction_at[r], stretch, squash, next_state,
               reciprocal)  # fmt: skip
    if n and clock[PHASE]:
        column = min(clock[COLUMN], width - 1)  # a caller that goes on too long must not write elsewhere
        for r in range(n):
            byte = lanes[r, HIGH] * 16 + (previous[r] & 15)
            _next_byte(byte, column, r * width + column + 1, width, lanes[r], hashes[r], history, heads)
        clock[PHASE] = 0
        clock[COLUMN] += 1
        clock[CODED] += n
        clock[RATE] = RATE_LAST + RATE_EXTRA * 256 // (256 + (clock[CODED] >> 4))
    elif n:
        for r in range(n):
            lanes[r, HIGH] = previous[r] & 15
        clock[PHASE] = 1
    # all lookups first: they miss the cache, and here they miss it side by side
    for r in range(rows):
        for i in range(CONTEXTS):
            key = hashes[r, i]
            if clock[PHASE]:
                key = _hash(key + (lanes[r, HIGH] + 1) * 0x1F3D5B7)
            slots[r, i] = key
            prefetch(table, _line(table, key))
        for i in range(CONTEXTS):
            slots[r, i] = _find_slot(table, slots[r, i])
    for r in range(rows):
        _predict(clock, lanes[r], slots[r], inputs[r], mixed[r], final[r], table, inputs_of, match_maps, weights,
                 final_weights, correction, correction_at[r], stretch, squash, pmf[r])  # fmt: skip


@_function
def advance_known(previous, symbols, rows, pmfs, clock, lanes, hashes, slots, history, heads, table, inputs, mixed, final,
                  maps, inputs_of, match_maps, weights, final_weights, correction, correction_at, stretch, squash,
                  next_state, reciprocal, pmf):  # fmt: skip
    """Several steps whose symbols [T, n] are known: pmfs [T, n, 16]. The last symbols are not learned yet."""
    for t in range(symbols.shape[0]):
        advance(previous, rows, clock, lanes, hashes, slots, history, heads, table, inputs, mixed, final, maps,
                inputs_of, match_maps, weights, final_weights, correction, correction_at, stretch, squash, next_state,
                reciprocal, pmf)  # fmt: skip
        for r in range(rows):
            for v in range(16):
                pmfs[t, r, v] = pmf[r, v]
        previous = symbols[t]


@_function
def advance_decoding(previous, words, decoder, rows, out, clock, lanes, hashes, slots, history, heads, table, inputs,
                     mixed, final, maps, inputs_of, match_maps, weights, final_weights, correction, correction_at,
                     stretch, squash, next_state, reciprocal, pmf):  # fmt: skip
    """Several steps whose symbols out [T, n] are decoded one after the other; False where the words are damaged."""
    for t in range(out.shape[0]):
        advance(previous, rows, clock, lanes, hashes, slots, history, heads, table, inputs, mixed, final, maps,
                inputs_of, match_maps, weights, final_weights, correction, correction_at, stretch, squash, next_state,
                reciprocal, pmf)  # fmt: skip
        for r in range(rows):
            symbol = pop(words, decoder, pmf[r])
            if symbol < 0:
                return False
            out[t, r] = symbol
        previous = out[t]
    return True
