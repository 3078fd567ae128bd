"""The loops of the memory (see memory.py), written so that they run compiled (numba) and as plain Python.

Small inputs run them as they stand, which saves half a second of importing numba; large ones compile them.
Both do the same float32 operations in the same order: every float here is a float32, every product and
sum is rounded on its own, integers stay below 2^62. A test compares the two bit for bit.

Table `ctx` [S, 4] int32, one row a context:  key (0 = empty) | n | d | start
    d = 1: the only successor is `start`, its count is n
    d ≥ 2: the successors are pool[start : start + d], pool [P, 2] int32 = (symbol, count), capacity 4, 8, 16 …
`slot` [B, K] int32: where each lane's contexts stand, −1 if unseen or not to be had.
`scale` [K, N, D] float32: the strengths s_k, by order, bucket of n, bucket of d.
`size` [3] int64: contexts used, pool entries used, symbols learned.
`parts` [B, K], `work` [3, K], `places` [K]: room to work in; these functions allocate nothing.
"""

import numpy as np

ONE = np.float32(1.0)
RATE = np.float32(0.15)
DISCOUNT = np.float32(0.5)
LOW = np.float32(0.05)
HIGH = np.float32(4000.0)
MAX_COUNT = 30000
TINY = np.float32(2.0**-100)


def exponent(n):
    """⌊log2 n⌋ of a count, −1 of 0; compiled, `_exponent` takes its place."""
    return n.bit_length() - 1


def _exponent(n):
    """The same, as a float32 has it: a loop over bits is mispredicted, and numba knows no `bit_length`."""
    return max(int(np.float32(n).view(np.int32) >> 23) - 127, -1)


def bucket(n, d):
    """(bucket of n: powers of two up to 2^9, bucket of d: 1, 2, 3–4, 5–8 … )"""
    return min(exponent(n), 9), min(exponent(d - 1) + 1, 5)


def hash_context(history, order, row, mask):
    """(first slot, key): the last `order` tokens of a lane, 31-bit multiplicative hash."""
    h = order * 0x3C6EF372 & 0x7FFFFFFF
    for k in range(order):
        h = ((h ^ int(history[row, k])) * 0x2545F491 + 0x1B873593) & 0x7FFFFFFF
        h ^= h >> 15
    return (h * 0x5851F42D >> 9) & mask, h | 1


def find(ctx, at, key, mask):
    """The row holding `key`, or the first free row as −1 − row; after 16 rows that are neither, −1 − size."""
    for i in range(16):
        place = (at + i) & mask
        k = ctx[place, 0]
        if k == key:
            return place
        if k == 0:
            return -1 - place
    return -2 - mask


def prefetch(array, at):
    """Byte `at` of the array will be read soon; compiled, `exact.prefetch` takes its place."""


def look_up(ctx, pool, slot, hashes, history, orders, seen, start, stop):
    """Fill `slot` and `hashes` for the next step of lanes start … stop − 1. What lies all over large tables is asked for before
    any of it is waited for."""
    mask = ctx.shape[0] - 1
    for row in range(start, stop):
        for k in range(orders.shape[0]):
            if orders[k] <= seen:
                at, key = hash_context(history, int(orders[k]), row, mask)
                hashes[row, k, 0], hashes[row, k, 1] = at, key
                prefetch(ctx, at * 16)
    for row in range(start, stop):
        for k in range(orders.shape[0]):
            slot[row, k] = -1
            if orders[k] <= seen:
                place = find(ctx, int(hashes[row, k, 0]), int(hashes[row, k, 1]), mask)
                slot[row, k] = place
                if place >= 0 and ctx[place, 2] > 1:
                    prefetch(pool, int(ctx[place, 3]) * 8)


def weigh(ctx, slot, scale, row, part):
    """Fill part [K], what a count of each order weighs; gives back what is left for the base."""
    weight = ONE
    for k in range(slot.shape[1] - 1, -1, -1):
        place = slot[row, k]
        if place >= 0:
            n = int(ctx[place, 1])
            i, j = bucket(n, int(ctx[place, 2]))
            s = scale[k, i, j]
            inverse = ONE / (np.float32(n) + s)
            part[k] = weight * inverse
            weight = weight * ((s + DISCOUNT * np.float32(ctx[place, 2])) * inverse)
    return weight


def mix(ctx, pool, slot, scale, base, out, parts, start, stop):
    """out = p_K of lanes start … stop − 1, from their base = p_0: one scaling, then the counts of each order added."""
    for row in range(start, stop):
        part = parts[row]
        np.multiply(base[row - start], weigh(ctx, slot, scale, row, part), out[row])  # without a temporary
        for k in range(slot.shape[1]):
            place = slot[row, k]
            if place >= 0:
                d, first = ctx[place, 2], ctx[place, 3]
                if d == 1:
                    out[row, first] = out[row, first] + (np.float32(ctx[place, 1]) - DISCOUNT) * part[k]
                else:
                    for e in range(first, first + d):
                        v = pool[e, 0]
                        out[row, v] = out[row, v] + (np.float32(pool[e, 1]) - DISCOUNT) * part[k]


def mix_groups(ctx, pool, slot, scale, shift, base, out, parts, left, start, stop):
    """`mix`, of groups: base, out [n, G]; symbol v is in the group v >> shift."""
    for row in range(start, stop):
        part, of_row = parts[row], out[row - start]
        left[row] = weigh(ctx, slot, scale, row, part)
        np.multiply(base[row - start], left[row], of_row)
        for k in range(slot.shape[1]):
            place = slot[row, k]
            if place >= 0:
                d, first = ctx[place, 2], ctx[place, 3]
                if d == 1:
                    g = first >> shift
                    of_row[g] = of_row[g] + (np.float32(ctx[place, 1]) - DISCOUNT) * part[k]
                else:
                    for e in range(first, first + d):
                        g = pool[e, 0] >> shift
                        of_row[g] = of_row[g] + (np.float32(pool[e, 1]) - DISCOUNT) * part[k]


def mix_ranks(ctx, pool, slot, group, of_group, inside, out, parts, left, start, stop):
    """out [n, R] = p_K of what is in the group [n] of each lane, over its sum, after `mix_groups`."""
    for row in range(start, stop):
        part, of_row, g, ranks = parts[row], out[row - start], int(group[row - start]), inside.shape[1]
        np.multiply(inside[row - start], of_group[row, g] * left[row], of_row)
        lowest = g * ranks
        for k in range(slot.shape[1]):
            place = slot[row, k]
            if place >= 0:
                d, first = ctx[place, 2], ctx[place, 3]
                if d == 1:
                    r = first - lowest
                    if r >= 0 and r < ranks:
                        of_row[r] = of_row[r] + (np.float32(ctx[place, 1]) - DISCOUNT) * part[k]
                else:
                    for e in range(first, first + d):
                        r = pool[e, 0] - lowest
                        if r >= 0 and r < ranks:
                            of_row[r] = of_row[r] + (np.float32(pool[e, 1]) - DISCOUNT) * part[k]
        total = np.float32(0)
        for r in range(ranks):
            of_row[r] = max(of_row[r], TINY)
            total = total + of_row[r]
        for r in range(ranks):
            of_row[r] = of_row[r] / total


def adapt(ctx, pool, slot, scale, p, row, symbol, count, before, inverses, places):
    """One gradient step on ln s_k of every order that was seen, towards a larger p_K(symbol), from p = p_0(symbol).

    ∂ ln p_K / ∂ ln s_k = s_k·W_k·(p_{k−1} − p_k) / ((n_k + s_k)·p_K),  W_k = Π_{j>k} s_j/(n_j + s_j)
    """
    top = -1
    for k in range(slot.shape[1]):
        place = slot[row, k]
        if place >= 0:
            n = int(ctx[place, 1])
            d, start = int(ctx[place, 2]), int(ctx[place, 3])
            c = 0
            if d == 1:
                if start == symbol:
                    c = n
            else:
                for e in range(start, start + d):
                    if pool[e, 0] == symbol:
                        c = int(pool[e, 1])
                        break
            i, j = bucket(n, d)
            s = scale[k, i, j]
            inverse = ONE / (np.float32(n) + s)
            before[k] = p
            strength = s + DISCOUNT * np.float32(d)
            p = (max(np.float32(c) - DISCOUNT, np.float32(0)) + strength * p) * inverse
            count[k] = p
            inverses[k] = inverse
            places[k] = i * 8 + j
            top = k
    if top < 0 or p < TINY:  # of what is next to impossible there is nothing to learn, and 1 / p may be infinite
        return
    weight = ONE / p
    for k in range(top, -1, -1):
        if slot[row, k] >= 0:
            i, j = places[k] >> 3, places[k] & 7
            s = scale[k, i, j]
            g = s * inverses[k] * weight * (before[k] - count[k])
            g = min(max(g, -ONE), ONE)
            scale[k, i, j] = min(max(s * (ONE + RATE * g), LOW), HIGH)
            weight = weight * ((s + DISCOUNT * np.float32(ctx[slot[row, k], 2])) * inverses[k])


def insert(ctx, pool, size, place, at, key, symbol, limit):
    """Count `symbol` in the context that look_up found at `place`, or missed; a full table learns no new ones."""
    mask = ctx.shape[0] - 1
    if place < 0:  # perhaps another lane has inserted it meanwhile
        place = find(ctx, at, key, mask)
    if place < 0:
        place = -1 - place
        if place > mask or size[0] >= limit:
            return
        size[0] += 1
        ctx[place, 0] = key
        ctx[place, 1] = 1
        ctx[place, 2] = 1
        ctx[place, 3] = symbol
        return
    n, d, start = int(ctx[place, 1]), int(ctx[place, 2]), int(ctx[place, 3])
    if n >= MAX_COUNT:
        return
    if d == 1:
        if start == symbol:
            ctx[place, 1] = n + 1
            return
        new = int(size[1])
        if new + 4 > pool.shape[0]:
            return
        size[1] += 4
        pool[new, 0] = start
        pool[new, 1] = n
        start = new
    else:
        for e in range(start, start + d):
            if pool[e, 0] == symbol:
                pool[e, 1] += 1
                ctx[place, 1] = n + 1
                return
        if d >= 4 and d & (d - 1) == 0:  # the block is full: move to one of twice the size
            new = int(size[1])
            if new + 2 * d > pool.shape[0]:
                return
            size[1] += 2 * d
            for e in range(d):
                pool[new + e, 0] = pool[start + e, 0]
                pool[new + e, 1] = pool[start + e, 1]
            start = new
    pool[start + d, 0] = symbol
    pool[start + d, 1] = 1
    ctx[place, 1] = n + 1
    ctx[place, 2] = d + 1
    ctx[place, 3] = start


def learn(ctx, pool, size, slot, hashes, scale, history, orders, base, symbols, seen, work, places):
    """After a step, base [n] = p_0(symbol) of each lane: adapt the strengths, count the symbols, push them onto the histories, in lane order."""
    limit = ctx.shape[0] - (ctx.shape[0] >> 3)
    depth = orders.shape[0]
    before, after, inverses = work[0], work[1], work[2]
    for row in range(symbols.shape[0]):  # another thread may have looked them up
        for k in range(depth):
            if orders[k] <= seen:
                prefetch(ctx, int(hashes[row, k, 0]) * 16)
    for row in range(symbols.shape[0]):
        symbol = int(symbols[row])
        adapt(ctx, pool, slot, scale, base[row], row, symbol, after, before, inverses, places)
    for row in range(symbols.shape[0]):
        symbol = int(symbols[row])
        for k in range(depth):
            if orders[k] <= seen:
                at, key = int(hashes[row, k, 0]), int(hashes[row, k, 1])
                insert(ctx, pool, size, int(slot[row, k]), at, key, symbol, limit)
        for k in range(history.shape[1] - 1, 0, -1):
            history[row, k] = history[row, k - 1]
        history[row, 0] = symbol
    size[2] += symbols.shape[0]


#: what a prior calls
CALLED = ("look_up", "mix", "mix_groups", "mix_ranks", "learn")
_PARTS = ("bucket", "hash_context", "find", "weigh", "adapt", "insert", *CALLED)
_compiled: dict = {}


def compiled() -> dict:
    """The same functions through numba, compiled once per machine and cached on disk."""
    if not _compiled:
        import types

        from ..exact import jit
        from ..exact.prefetch import prefetch

        space = {**globals(), "exponent": jit.njit(nogil=True, **jit.NO_ALLOCATION)(_exponent), "prefetch": prefetch}
        for name in _PARTS:
            plain = globals()[name]
            bound = types.FunctionType(plain.__code__, space, name)
            bound.__module__, bound.__qualname__ = plain.__module__, plain.__qualname__
            space[name] = jit.njit(nogil=True, error_model="numpy", **jit.NO_ALLOCATION)(bound)
        _compiled.update({name: space[name] for name in CALLED})
    return _compiled
