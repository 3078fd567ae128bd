"""Context mixing of a nibble, the part that does not care what the contexts are (see `adaptive.py` for the idea).

A nibble is a path of 4 bits through a tree of 15 nodes, numbered 1 … 15; the children of a node are 2·node + bit. At each
node there are inputs, stretched probabilities from whatever predicts; mixers weigh them, a final mixer weighs the mixers,
and a table corrects its answer. `Mixing` holds what they have learned.

Numbers and their units
    stretched probability x = ln(p / (1 − p)) · 256, clamped to ±LIMIT · squash is its inverse, p · 2^16
    weight                  1.0 = 2^16
    bit history             a state 0 … 255 of `adaptive.bit_histories`: counts of zeros and ones, and the last bit

The sizes of all numbers are bounded: nothing here may overflow, round, or depend on the CPU. `int32(…)` around every
operation of an inner loop lets LLVM use 16 lanes of SIMD where numba would widen to 64 bits.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy import int32, int64
from numpy.typing import NDArray

from ..exact import jit

LIMIT = 2815
CENTRE = 3072  # squash[x + CENTRE]
BINS = 24  # of the final correction, 256 units of x each
HEAVIEST = int32(8 << 16)  # 8.0: with Σ_i |x_i| < 2^16 a dot product of weights >> 4 stays below 2^31
HALF = int32(1 << 11)
FINAL_RATE = 24
SMALL_ERROR = 256  # 2^-8
UNLIKELY = 1 << 22  # of 2^30: below a node this unlikely nothing is predicted in detail, to save time
MIN_P = 4  # of 2^16, at every node
FLOOR = 64  # 2^-24, the coder's own least probability
UNIT = np.float32(2.0**-30)

#: by LLVM; numba's own inlining of such functions gave code that learned nothing (0.68)
inline = njit(forceinline=True, nogil=True, boundscheck=False, error_model="numpy", **jit.NO_ALLOCATION)
function = jit.njit(nogil=True, boundscheck=False, error_model="numpy", **jit.NO_ALLOCATION)


class Mixing(NamedTuple):
    """What mixers learn, for every lane. F final sets, S sets, I inputs, M mixers, C contexts in P phases."""

    #: slots of 16 bytes: a check byte and the bit histories of the 15 nodes, in a quarter cache line
    table: NDArray[np.uint8]
    maps: NDArray[np.uint32]  # [C · P, 256], p of a bit history, and a count
    inputs_of: NDArray[np.int16]  # [C · P, 256, 2], the same as the mixers see it
    weights: NDArray[np.int32]  # [S, nodes, I]
    final_weights: NDArray[np.int32]  # [F, nodes, M]
    correction: NDArray[np.int32]  # [sets · nodes · BINS]
    stretch: NDArray[np.int16]
    squash: NDArray[np.uint16]
    next_state: NDArray[np.uint8]
    reciprocal: NDArray[np.uint16]


class Nibble(NamedTuple):
    """What one lane knows about the nibble that is being coded."""

    keys: NDArray[np.int64]  # [C], hashes of the contexts
    slots: NDArray[np.int64]  # [C], offsets into the table
    inputs: NDArray[np.int32]  # [nodes, I]
    mixed: NDArray[np.int32]  # [M, nodes], stretched
    final: NDArray[np.int64]  # [2, 32], p · 2^16 of the nodes; shares of all 31 nodes and leaves
    #: [nodes], where in the correction; −1 where a node was too unlikely to be worth predicting
    corrected: NDArray[np.int64]
    sets: NDArray[np.int64]  # [M + 1], the weights that are used: of each mixer, and of the final one


@inline
def hash31(x):
    """31 bits from 32; products stay below 2^62."""
    x = (x & 0x7FFFFFFF) * 0x2C1B3C6D
    x = (x ^ (x >> 31)) & 0x7FFFFFFF
    x = x * 0x297A2D39
    return (x ^ (x >> 29)) & 0x7FFFFFFF


@inline
def _line_of(table, key):
    """Where the four slots begin of which a context may have one: a cache line."""
    return (key & (table.shape[0] // 64 - 1)) << 6


@function
def _find_slot(table, key):
    """Where the slot of a context lies; a new one takes the place of the least used of four."""
    line = _line_of(table, key)
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


@inline
def ask_for_slots(hashes, more, nibble, table):
    """The keys of all contexts: their hashes and, unless it is 0, `more` that is known since.

    Most slots are not in a cache. They come side by side, while something else is done before `find_slots`."""
    for i in range(hashes.shape[0]):
        key = hash31(hashes[i] + more) if more else hashes[i]
        nibble.keys[i] = key


@inline
def find_slots(nibble, table):
    """Where the slots of all contexts lie."""
    for i in range(nibble.slots.shape[0]):
        nibble.slots[i] = _find_slot(table, nibble.keys[i])


@inline
def learn_node(node, bit, rate, nibble, mixing):
    """Move the weights of one node towards what happened there."""
    mixers = nibble.mixed.shape[0]
    target = bit << 16
    final_error = (target - nibble.final[0, node]) * FINAL_RATE
    v = mixing.final_weights[nibble.sets[mixers], node]
    x = nibble.inputs[node]
    for m in range(mixers):
        moved = v[m] + ((nibble.mixed[m, node] * final_error + (1 << 19)) >> 20)
        v[m] = min(max(moved, -HEAVIEST), HEAVIEST)
        w = mixing.weights[nibble.sets[m], node]
        error = target - mixing.squash[nibble.mixed[m, node] + CENTRE]
        if -SMALL_ERROR < error < SMALL_ERROR:
            continue  # little to learn, and time saved where the data is predictable
        step = int32((error * rate) >> 12)
        for i in range(x.shape[0]):
            change = int32(int32(int32(x[i] * step) + HALF) >> 12)
            w[i] = min(max(int32(w[i] + change), -HEAVIEST), HEAVIEST)
    at = nibble.corrected[node]
    # half of it was applied
    mixing.correction[at] += (target - nibble.final[0, node] - (mixing.correction[at] >> 1)) >> 6


@inline
def learn_histories(symbol, phase, phases, slots, mixing):
    """The bit histories of all contexts, and what follows such histories."""
    for i in range(slots.shape[0]):
        slot = slots[i]
        histories = mixing.table[slot : slot + 16]
        p_of = mixing.maps[phases * i + phase]
        as_input = mixing.inputs_of[phases * i + phase]
        node = 1
        for level in range(4):
            bit = (symbol >> (3 - level)) & 1
            state = histories[node]
            histories[node] = mixing.next_state[state, bit]
            p = int64(p_of[state]) >> 10  # 22 bits, above a 10-bit count
            n = int64(p_of[state]) & 1023
            p += (((bit << 22) - p) * int64(mixing.reciprocal[n])) >> 16
            p_of[state] = (p << 10) + min(n + 1, 1023)
            as_input[state, 0] = mixing.stretch[p >> 10]
            as_input[state, 1] = ((p >> 6) - 32768) >> 5 if state else 0
            node = 2 * node + bit


@inline
def history_inputs(node, phase, phases, slots, mixing, x, first):
    """Two inputs a context from x[first] on: what followed its bit history so far, stretched and as it is."""
    for i in range(slots.shape[0]):
        state = mixing.table[slots[i] + node]
        x[first + 2 * i] = mixing.inputs_of[phases * i + phase, state, 0]
        x[first + 2 * i + 1] = mixing.inputs_of[phases * i + phase, state, 1]


@inline
def predict(node, base, nibble, mixing):
    """p · 2^16 of the node from its inputs. base: where the corrections of its set begin."""
    x = nibble.inputs[node]
    mixers = nibble.mixed.shape[0]
    total = 0
    for m in range(mixers):
        w = mixing.weights[nibble.sets[m], node]
        dot = int32(0)
        for i in range(x.shape[0]):  # not a constant: LLVM would unroll it instead of using SIMD
            dot = int32(dot + int32(int32(w[i] >> 4) * x[i]))
        said = min(max(int(dot) >> 12, -LIMIT), LIMIT)
        nibble.mixed[m, node] = said
        total += mixing.final_weights[nibble.sets[mixers], node, m] * said
    total = min(max(total >> 16, -LIMIT), LIMIT) + CENTRE
    # what really happened when the mixers said this, interpolated between two bins
    at = base + node * BINS + (total >> 8)
    share = total & 255
    shift = (mixing.correction[at] * (256 - share) + mixing.correction[at + 1] * share) >> 8
    nibble.corrected[node] = at + (share >> 7)
    nibble.final[0, node] = min(max(mixing.squash[total] + (shift >> 1), MIN_P), 65536 - MIN_P)
    return nibble.final[0, node]
