"""One step of the context-mixing model, for all lanes, in integers only (see `adaptive.py` for the idea).

The phase is 0 while the high nibble of a byte is coded, 1 while the low one is. The lanes are handled one after the
other, so the tables they share change in one fixed order. What is learned about a nibble is in `mixing.py`.
"""

from .mixing import (
    BINS,
    Nibble,
    function,
    hash31,
    inline,
)

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
LONGEST = 32  # bytes compared when a match is looked up
SHORTEST = 4
PATIENCE = 8  # failed predictions before a match is given up
RATE_LAST, RATE_EXTRA = 90, 700  # the second decays with the bytes coded

# fields of a lane (int64 each)
LAST4, BEFORE4, WORD, OLDER_WORD, POINTER, LENGTH, MISSES, EXPECTED, BUCKET, HIGH = range(10)
FIELDS = 16
# fields of the clock (int64 each)
PHASE, COLUMN, WIDTH, RATE, CODED = range(5)
CLOCK_FIELDS = 8


@function
def learn_match(symbol, phase, lane, match_maps):
    """How often what a match expects has come."""
    if lane[EXPECTED] < 0:
        return
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


@function
def _follow_match(lane, column, here, width, history, heads, reached):
    """Keep or look up the place in the shared history after which the last bytes came before."""
    place = lane[POINTER]
    if place > 0:
        place += 1
    if lane[LENGTH] > 0:
        lane[LENGTH] = min(lane[LENGTH] + 1, 65535)
        if lane[LENGTH] >= 16:
            lane[MISSES] = 0
    head = hash31(hash31(lane[LAST4]) + (lane[BEFORE4] & 255) * 0x10001 + 77) & (heads.shape[0] - 1)
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
        if place < history.shape[0] and place % width <= reached[place // width]:
            lane[EXPECTED] = history[place]
            lane[BUCKET] = 1 + length if length < 16 else min(13 + (length >> 2), 19 + (length >> 4), 28)
        else:
            lane[LENGTH] = 0


@function
def next_byte(byte, column, here, width, lane, hashes, history, heads, reached):
    """The whole byte is known: store it, and hash the contexts of the next one.

    reached [B]: the last column of each lane that has been coded."""
    history[here - 1] = byte
    lane[BEFORE4] = ((lane[BEFORE4] << 8) | (lane[LAST4] >> 24)) & 0xFFFFFFFF
    lane[LAST4] = ((lane[LAST4] << 8) | byte) & 0xFFFFFFFF
    letter = byte + 32 if 65 <= byte <= 90 else byte
    if 97 <= letter <= 122 or byte >= 128:
        lane[WORD] = hash31(lane[WORD] * 32 + letter + 1)
    elif lane[WORD] != 0:
        lane[OLDER_WORD] = lane[WORD]
        lane[WORD] = 0
    _follow_match(lane, column, here, width, history, heads, reached)
    last = lane[LAST4]
    before = lane[BEFORE4]
    order4 = hash31(hash31(last & 0xFFFFFF) + (last >> 24))
    hashes[0] = 0  # order 0: only what the nibbles of this byte say
    hashes[1] = hash31(byte + 0x100)
    hashes[2] = hash31((last & 0xFFFF) + 0x1000000)
    hashes[3] = hash31((last & 0xFFFFFF) + 0x2000000)
    hashes[4] = hash31(order4 + 0x3000000)
    hashes[5] = hash31(order4 + (before & 0xFFFF) + 0x4000000)  # order 6
    hashes[6] = hash31(lane[WORD] + byte * 0x10001 + 0x5000000)
    hashes[7] = hash31(lane[WORD] + hash31(lane[OLDER_WORD] + 0x6000000) + byte)
    hashes[8] = hash31((last & 0xFFFF00) + 0x7000001)  # the bytes 2 and 3 back
    hashes[9] = hash31((last >> 16) + 0x8000003)  # 3 and 4 back
    hashes[10] = hash31((last >> 24) + (before >> 24) * 256 + (((column + 1) & 3) << 16) + 0x9000005)  # records
    hashes[11] = hash31((last & 0xF0F0F0F0) + 0xE000005)  # the kinds of the last four characters


@inline
def match_inputs(phase, lane, inputs, mixing, match_maps):
    """What the match expects, at the nodes on its path through the nibble; 0 at the others."""
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
            inputs[node, MATCH] = sign * mixing.stretch[p >> 4]
            inputs[node, MATCH + 1] = sign * ((p - 32768) >> 5)
            node = 2 * node + bit


@inline
def choose_sets(phase, lane, nibble):
    """The weights that the mixers use for this nibble, and where the corrections of its set begin."""
    bucket = lane[BUCKET] if lane[EXPECTED] >= 0 else 0
    high = phase * (lane[HIGH] + 1)
    nibble.sets[0] = bucket * 2 + phase
    nibble.sets[1] = SETS_MATCH + phase * 256 + (lane[LAST4] & 255)
    nibble.sets[nibble.sets.shape[0] - 1] = high
    return (bucket * SETS_NIBBLE + high) * 16 * BINS


@inline
def nibble_of(lane, state):
    """The views of one lane."""
    of = state.nibbles
    return Nibble(
        of.keys[lane],
        of.slots[lane],
        of.inputs[lane],
        of.mixed[lane],
        of.final[lane],
        of.corrected[lane],
        of.sets[lane],
    )
