import numpy as np
from numba import njit

CONTEXTS = 11  # hashed contexts
INPUTS = 2 * CONTEXTS + 3  # + 2 from the match model + bias
MIXERS = 3
SETS_A, SETS_B, SETS_C = 17, 64, 512
FIELDS = 16
LAST4, BEFORE4, WORD, WORD2, POINTER, LENGTH, HIGH, SET_A, SET_B, SET_C, EXPECTED, BUCKET = range(12)
LIMIT = 2815
MASK31 = 0x7FFFFFFF


@njit(inline="always")
def _mix(x):
    x = (x & MASK31) * 0x2C1B3C6D
    x = (x ^ (x >> 31)) & MASK31
    x = x * 0x297A2D39
    return (x ^ (x >> 29)) & MASK31


@njit(cache=True, boundscheck=False)
def _slot(table, mask, h):
    base = (h & mask) << 6
    check = (h >> 23) & 255
    worst = base
    least = 256
    for k in range(4):
        at = base + (k << 4)
        if table[at] == check:
            return at
        if table[at + 1] < least:
            least = table[at + 1]
            worst = at
    for k in range(16):
        table[worst + k] = 0
    table[worst] = check
    return worst


@njit(cache=True, boundscheck=False)
def _learn(r, symbol, clock, lane, slots, inputs, mixed, final, table, maps, mapst, mmaps, weights, weights2, apm, apmat, stretch, nex, recip):
    phase = clock[0]
    node = 1
    rate = clock[3]
    for level in range(4):
        bit = (symbol >> (3 - level)) & 1
        target = bit << 16
        # final mixer
        err = (target - final[r, 0, node]) * 24
        s2 = lane[r, SET_A]
        for m in range(MIXERS):
            weights2[s2, m, node] += (mixed[r, m, node] * err + (1 << 19)) >> 20
        # mixers
        for m in range(MIXERS):
            s = lane[r, SET_A + m]
            err = (target - mixed[r, MIXERS + m, node]) * rate
            for i in range(INPUTS):
                weights[s, i, node] += (inputs[r, i, node] * err + (1 << 23)) >> 24
        for a in range(2):
            at = apmat[r, a, node]
            apm[at] += (target - 32768 - apm[at]) >> 6 if False else 0
        for i in range(CONTEXTS):
            at = slots[r, i] + node
            state = table[at]
            k = (i * 2 + phase) * 256 + state
            e = maps[k]
            n = e & 1023
            p = e >> 10
            p += (((bit << 22) - p) * recip[n]) >> 16
            if n < clock[4]:
                n += 1
            maps[k] = (p << 10) | n
            mapst[k] = stretch[p >> 10]
            table[at] = nex[state, bit]
        node = node * 2 + bit
    # match model: did the expected nibble come?
    if lane[r, EXPECTED] >= 0:
        want = lane[r, EXPECTED] >> 4 if phase == 0 else lane[r, EXPECTED] & 15
        b = lane[r, BUCKET]
        node = 1
        for level in range(4):
            bit = (symbol >> (3 - level)) & 1
            w = (want >> (3 - level)) & 1
            hit = 1 if bit == w else 0
            k = (b * 2 + phase) * 4 + level
            mmaps[k] += ((hit << 16) - mmaps[k]) >> 6
            if bit != w:
                lane[r, EXPECTED] = -1
                lane[r, LENGTH] = 0
                break


@njit(cache=True, boundscheck=False)
def _byte_done(r, byte, clock, lane, hashes, history, heads, width):
    t = clock[1]
    history[r * width + t] = byte
    c4 = ((lane[r, LAST4] << 8) | byte) & 0xFFFFFFFF
    c8 = ((lane[r, BEFORE4] << 8) | (lane[r, LAST4] >> 24)) & 0xFFFFFFFF
    lane[r, LAST4] = c4
    lane[r, BEFORE4] = c8
    letter = byte
    if 65 <= byte <= 90:
        letter = byte + 32
    if 97 <= letter <= 122 or byte >= 128:
        lane[r, WORD] = _mix(lane[r, WORD] * 32 + letter + 1)
    elif lane[r, WORD] != 0:
        lane[r, WORD2] = lane[r, WORD]
        lane[r, WORD] = 0
    # match
    here = r * width + t + 1
    p = lane[r, POINTER]
    if lane[r, LENGTH] > 0:
        p += 1
        if lane[r, LENGTH] < 65535:
            lane[r, LENGTH] += 1
    h6 = _mix(_mix(c4) + (c8 & 0xFF) * 0x10001 + 77)  # last 5 bytes
    at = h6 & (heads.shape[0] - 1)
    if lane[r, LENGTH] == 0 and t >= 4:
        p = heads[at]
        if p > 0:
            n = 0
            while n < 32 and p - 1 - n >= 0 and t - n >= 0 and history[p - 1 - n] == history[here - 1 - n]:
                n += 1
            if n >= 4:
                lane[r, LENGTH] = n
    heads[at] = here
    lane[r, POINTER] = p
    lane[r, EXPECTED] = -1
    if lane[r, LENGTH] > 0:
        if p < history.shape[0] and p % width <= t:
            lane[r, EXPECTED] = history[p]
        else:
            lane[r, LENGTH] = 0
    n = lane[r, LENGTH]
    if lane[r, EXPECTED] < 0:
        b = 0
    elif n < 16:
        b = n >> 1
    elif n < 32:
        b = 8 + ((n - 16) >> 2)
    else:
        b = 12 + min((n - 32) >> 5, 3)
    lane[r, BUCKET] = b
    w = lane[r, WORD]
    hashes[r, 0] = 0
    hashes[r, 1] = _mix(byte + 0x100)
    hashes[r, 2] = _mix((c4 & 0xFFFF) + 0x1000000)
    hashes[r, 3] = _mix((c4 & 0xFFFFFF) + 0x2000000)
    hashes[r, 4] = _mix(_mix(c4 & 0xFFFFFF) + (c4 >> 24) + 0x3000000)
    hashes[r, 5] = _mix(_mix(_mix(c4 & 0xFFFFFF) + (c4 >> 24)) + (c8 & 0xFFFF) + 0x4000000)
    hashes[r, 6] = _mix(w + byte * 0x10001 + 0x5000000)
    hashes[r, 7] = _mix(w + _mix(lane[r, WORD2] + 0x6000000) + byte)
    hashes[r, 8] = _mix((c4 & 0xFFFF00) + 0x7000001)
    hashes[r, 9] = _mix(((c4 >> 16) & 0xFFFF) + 0x8000003)
    hashes[r, 10] = _mix(((c4 >> 24) & 0xFF) + (c8 >> 24) * 0x100 + ((clock[1] & 3) << 16) + 0x9000005)


@njit(cache=True, boundscheck=False)
def _predict(r, clock, lane, hashes, slots, inputs, mixed, final, table, mapst, mmaps, weights, weights2, apm, apmat, stretch, squash, pmf):
    phase = clock[0]
    hits = 0
    for i in range(CONTEXTS):
        if 2 <= i <= 5 and table[slots[r, i] + 1] != 0:
            hits += 1
        base = (i * 2 + phase) * 256
        at = slots[r, i]
        for k in range(16):
            s = table[at + k]
            x = mapst[base + s]
            inputs[r, i, k] = x
            inputs[r, CONTEXTS + i, k] = 0 if s == 0 else (squash[x + 3072] - 32768) >> 5
    for k in range(16):
        inputs[r, 2 * CONTEXTS, k] = 0
        inputs[r, 2 * CONTEXTS + 1, k] = 0
        inputs[r, 2 * CONTEXTS + 2, k] = 256
    bucket = 0
    if lane[r, EXPECTED] >= 0:
        bucket = lane[r, BUCKET]
        want = lane[r, EXPECTED] >> 4 if phase == 0 else lane[r, EXPECTED] & 15
        node = 1
        for level in range(4):
            w = (want >> (3 - level)) & 1
            p = mmaps[(bucket * 2 + phase) * 4 + level]
            x = stretch[p >> 4]
            y = (p - 32768) >> 5
            inputs[r, 2 * CONTEXTS, node] = x if w else -x
            inputs[r, 2 * CONTEXTS + 1, node] = y if w else -y
            node = node * 2 + w
    lane[r, SET_A] = 0 if phase == 0 else 1 + lane[r, HIGH]
    lane[r, SET_B] = SETS_A + bucket * 2 + phase
    lane[r, SET_C] = SETS_A + SETS_B + phase * 5 + hits
    for m in range(MIXERS):
        s = lane[r, SET_A + m]
        for k in range(16):
            final[r, 1, k] = 0
        for i in range(INPUTS):
            for k in range(16):
                final[r, 1, k] += weights[s, i, k] * inputs[r, i, k]
        for k in range(16):
            x = min(max(final[r, 1, k] >> 16, -LIMIT), LIMIT)
            mixed[r, m, k] = x
            mixed[r, MIXERS + m, k] = squash[x + 3072]
    s2 = lane[r, SET_A]
    for k in range(16):
        x = 0
        for m in range(MIXERS):
            x += weights2[s2, m, k] * mixed[r, m, k]
        x = min(max(x >> 16, -LIMIT), LIMIT)
        final[r, 0, k] = squash[x + 3072]
    # leaves
    final[r, 1, 1] = 1 << 30
    for k in range(1, 8):
        one = (final[r, 1, k] * final[r, 0, k]) >> 16
        final[r, 1, 2 * k + 1] = one
        final[r, 1, 2 * k] = final[r, 1, k] - one
    for k in range(8, 16):
        one = (final[r, 1, k] * final[r, 0, k]) >> 16
        zero = final[r, 1, k] - one
        pmf[r, 2 * k - 16] = np.float32(zero) * np.float32(2.0**-30)
        pmf[r, 2 * k - 15] = np.float32(one) * np.float32(2.0**-30)


@njit(cache=True, nogil=True, boundscheck=False)
def advance(previous, rows, clock, history, heads, lane, hashes, slots, inputs, mixed, final, table, maps, mapst, mmaps, weights, weights2, apm, apmat, stretch, squash, nex, recip, pmf):
    width = clock[2]
    mask = table.shape[0] // 64 - 1
    if previous.shape[0]:
        for r in range(previous.shape[0]):
            _learn(r, previous[r], clock, lane, slots, inputs, mixed, final, table, maps, mapst, mmaps, weights, weights2, apm, apmat, stretch, nex, recip)
        if clock[0] == 0:
            for r in range(previous.shape[0]):
                lane[r, HIGH] = previous[r]
            clock[0] = 1
        else:
            for r in range(previous.shape[0]):
                _byte_done(r, lane[r, HIGH] * 16 + previous[r], clock, lane, hashes, history, heads, width)
            clock[0] = 0
            clock[1] += 1
            clock[5] += previous.shape[0]
            clock[3] = clock[6] + clock[7] * 256 // (256 + (clock[5] >> 4))
    for r in range(rows):
        for i in range(CONTEXTS):
            h = hashes[r, i]
            if clock[0]:
                h = _mix(h + (lane[r, HIGH] + 1) * 0x1F3D5B7)
            slots[r, i] = _slot(table, mask, h)
    for r in range(rows):
        _predict(r, clock, lane, hashes, slots, inputs, mixed, final, table, mapst, mmaps, weights, weights2, apm, apmat, stretch, squash, pmf)
