"""One step of the context-mixing model, for all lanes, in integers only (see `adaptive.py` for the idea).

Numbers and their units
    stretched probability x = ln(p / (1 − p)) · 256, clamped to ±LIMIT · squash is its inverse, p · 2^16
    weight                  1.0 = 2^16
    bit history             a state 0 … 255 of `adaptive.bit_histories`: counts of zeros and ones, and the last bit
    node                    1 … 15 of the binary tree over one nibble; its children are 2·node + bit
    phase                   0 while the high nibble of a byte is coded, 1 while the low one is

A slot is 16 bytes: a check byte and the bit histories of the 15 nodes, in one quarter of a cache line.
The lanes are handled one after the other, so the tables they share change in one fixed order. Every
product stays below 2^63: nothing here may overflow, round, or depend on the CPU.
"""

import numpy as np
from numba import njit

CONTEXTS = 12
#: inputs of a mixer, per node: (x, confidence) of each context and of the match, a constant, and 5 unused
#: so that a dot product is a whole number of SIMD registers
MATCH = 2 * CONTEXTS
BIAS = MATCH + 2
INPUTS = 32
#: three mixers see the same inputs, each picks its weights by something else
BUCKETS = 32
SETS_NIBBLE, SETS_MATCH, SETS_BYTE = 17, 2 * BUCKETS, 512
MIXERS = 3
LIMIT = 2815
CENTRE = 3072  # squash[x + CENTRE]
BINS = 24  # of the final correction, 256 units of x each
LONGEST = 32  # bytes compared when a match is looked up
SHORTEST = 4
PATIENCE = 8  # failed predictions before a match is given up
LIVE = np.float32(2.0**-30)

# fields of a lane (int64 each)
LAST4, BEFORE4, WORD, OLDER_WORD, POINTER, LENGTH, MISSES, EXPECTED, BUCKET, HIGH, SET0 = range(11)
FIELDS = 16  # SET0 … SET0 + MIXERS are the weight sets in use, the last one is the final mixer's correction
CORRECTION = SET0 + MIXERS
# fields of the clock (int64 each)
PHASE, COLUMN, WIDTH, RATE, CODED = range(5)
CLOCK_FIELDS = 8

_inline = njit(inline="always", boundscheck=False)
_function = njit(cache=True, nogil=True, boundscheck=False)


@_inline
def _hash(x):
    """31 bits from 32; products stay below 2^62."""
    x = (x & 0x7FFFFFFF) * 0x2C1B3C6D
    x = (x ^ (x >> 31)) & 0x7FFFFFFF
    x = x * 0x297A2D39
    return (x ^ (x >> 29)) & 0x7FFFFFFF


@_function
def _find_slot(table, key):
    """Where the slot of a context lies; a new one takes the place of the least used of four."""
    line = (key & (table.shape[0] // 64 - 1)) << 6
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
        bit = (symbol >> (3 - level)) & 1
        target = bit << 16
        error = (target - final[0, node]) * 24
        for m in range(MIXERS):
            final_weights[lane[SET0], node, m] += (mixed[m, node] * error + (1 << 19)) >> 20
            w = weights[lane[SET0 + m], node]
            x = inputs[node]
            step = (target - squash[mixed[m, node] + CENTRE]) * clock[RATE]
            for i in range(INPUTS):
                w[i] += (x[i] * step + (1 << 23)) >> 24
        at = correction_at[node]
        correction[at] += (target - final[0, node] - (correction[at] >> 1)) >> 6
        for i in range(CONTEXTS):
            at = slots[i] + node
            state = table[at]
            table[at] = next_state[state, bit]
            at = (i * 2 + phase) * 256 + state
            p = maps[at] >> 10  # 22 bits, above a 10-bit count
            n = maps[at] & 1023
            p += (((bit << 22) - p) * reciprocal[n]) >> 16
            maps[at] = (p << 10) + min(n + 1, 1023)
            inputs_of[at, 0] = stretch[p >> 10]
            inputs_of[at, 1] = ((p >> 6) - 32768) >> 5 if state else 0
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
    hashes[10] = _hash(
        (last >> 24) + (before >> 24) * 256 + (((column + 1) & 3) << 16) + 0x9000005
    )  # 4, 8: 32-bit records
    hashes[11] = _hash((last & 0xF0F0F0F0) + 0xE000005)  # the kinds of the last four characters


@_function
def _predict(clock, lane, slots, inputs, mixed, final, table, inputs_of, match_maps, weights, final_weights,
             correction, correction_at, stretch, squash, pmf):  # fmt: skip
    phase = clock[PHASE]
    for i in range(CONTEXTS):
        base = (i * 2 + phase) * 256
        for node in range(1, 16):
            at = base + table[slots[i] + node]
            inputs[node, 2 * i] = inputs_of[at, 0]
            inputs[node, 2 * i + 1] = inputs_of[at, 1]
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
    lane[SET0] = nibble
    lane[SET0 + 1] = SETS_NIBBLE + bucket * 2 + phase
    lane[SET0 + 2] = SETS_NIBBLE + SETS_MATCH + phase * 256 + (lane[LAST4] & 255)
    correction_base = (bucket * SETS_NIBBLE + nibble) * 16 * BINS
    for node in range(1, 16):
        total = 0
        for m in range(MIXERS):
            w = weights[lane[SET0 + m], node]
            x = inputs[node]
            dot = 0
            for i in range(INPUTS):
                dot += w[i] * x[i]
            dot = min(max(dot >> 16, -LIMIT), LIMIT)
            mixed[m, node] = dot
            total += final_weights[nibble, node, m] * dot
        total = min(max(total >> 16, -LIMIT), LIMIT) + CENTRE
        # what really happened when the mixers said this, interpolated between two bins
        at = correction_base + node * BINS + (total >> 8)
        share = total & 255
        shift = (correction[at] * (256 - share) + correction[at + 1] * share) >> 8
        correction_at[node] = at + (share >> 7)
        final[0, node] = min(max(squash[total] + (shift >> 1), 16), 65520)
    # 2^30 is shared out down the tree, so the 16 leaves sum to 2^30 exactly
    share_of = final[1]
    share_of[1] = 1 << 30
    for node in range(1, 16):
        one = (share_of[node] * final[0, node]) >> 16
        share_of[2 * node + 1] = one
        share_of[2 * node] = share_of[node] - one
    for k in range(16):
        pmf[k] = np.float32(share_of[16 + k]) * LIVE


@_function
def advance(previous, rows, clock, lanes, hashes, slots, history, heads, table, inputs, mixed, final, maps, inputs_of,
            match_maps, weights, final_weights, correction, correction_at, stretch, squash, next_state, reciprocal, pmf):  # fmt: skip
    """Learn the symbols `previous` [n] in lane order, then write the next pmf [rows, 16]."""
    n = previous.shape[0]
    width = clock[WIDTH]
    for r in range(n):
        _learn(previous[r], clock, lanes[r], slots[r], inputs[r], mixed[r], final[r], table, maps, inputs_of, match_maps,
               weights, final_weights, correction, correction_at[r], stretch, squash, next_state, reciprocal)  # fmt: skip
    if n and clock[PHASE]:
        column = clock[COLUMN]
        for r in range(n):
            byte = lanes[r, HIGH] * 16 + previous[r]
            _next_byte(byte, column, r * width + column + 1, width, lanes[r], hashes[r], history, heads)
        clock[PHASE] = 0
        clock[COLUMN] += 1
        clock[CODED] += n
        clock[RATE] = 90 + 700 * 256 // (256 + (clock[CODED] >> 4))
    elif n:
        for r in range(n):
            lanes[r, HIGH] = previous[r]
        clock[PHASE] = 1
    # all lookups first: they miss the cache, and here they can miss it side by side
    for r in range(rows):
        for i in range(CONTEXTS):
            key = hashes[r, i]
            if clock[PHASE]:
                key = _hash(key + (lanes[r, HIGH] + 1) * 0x1F3D5B7)
            slots[r, i] = _find_slot(table, key)
    for r in range(rows):
        _predict(clock, lanes[r], slots[r], inputs[r], mixed[r], final[r], table, inputs_of, match_maps, weights,
                 final_weights, correction, correction_at[r], stretch, squash, pmf[r])  # fmt: skip
