"""One step of causal attention over a cache of keys and values, exactly.

    scores    integer products of 8-bit queries and keys, times both their scales, 1/√d and log₂ e
    weights   2^(score − max) on a 2^23 grid, then p = round(w·2^16 / Σ w): small integers
    output    Σ p·v / Σ p with 8-bit values v: integer sums below 2^24 in float32 carriers, one division

A step costs O(L) for L cached positions; without the cache all of them would be computed again, O(L²).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import ops
from .arrays import Floats, Integers

#: Σ p ≤ 2^16 + L/2, times 127, stays below 2^24
WEIGHT_SUM = np.float32(1 << 16)
#: values are rounded on a grid of ±VALUE_LIMIT
VALUE_LIMIT = 4.0
#: step → steps it may see, in rising order, itself among them
Pattern = Callable[[int], Integers]


@dataclass
class Cache:
    lanes: int
    length: int
    heads: int
    width: int
    k: Floats = field(init=False)
    v: Floats = field(init=False)
    scale: Floats = field(init=False)

    def __post_init__(self) -> None:
        room = min(self.length, 64)
        self.k = np.zeros((self.lanes, self.heads, room, self.width), np.float32)
        self.v = np.zeros_like(self.k)
        self.scale = np.zeros((self.lanes, self.heads, room), np.float32)

    def grow(self, at: int) -> None:
        """Room for step `at`: a cache grows with what is in it."""
        while at >= self.k.shape[2] and self.k.shape[2] < self.length:
            more = min(self.k.shape[2], self.length - self.k.shape[2])
            self.k, self.v, self.scale = (
                np.concatenate([x, np.zeros((*x.shape[:2], more, *x.shape[3:]), np.float32)], 2)
                for x in (self.k, self.v, self.scale)
            )


def quantize_heads(x: Floats, heads: int) -> tuple[Floats, Floats]:
    """[n, C] → integers [n, heads, d] with a scale [n, heads, 1] each."""
    return ops.quantize_rows(np, x.reshape(len(x), heads, -1))


def _on_grid(v: Floats) -> Floats:
    rounded: Floats = np.round(np.clip(v * np.float32(127 / VALUE_LIMIT), np.float32(-127), np.float32(127)))
    return rounded


def step(
    cache: Cache,
    q: Floats,
    k: Floats,
    v: Floats,
    at: int,
    rows: int,
    distances: Floats | None,
    pattern: Pattern | None,
) -> Floats:
    """Add this step's keys and values, and attend to what may be seen. All [n, C]."""
    slot = at % cache.length
    cache.grow(slot)
    cache.k[:rows, :, slot], scale = quantize_heads(k, cache.heads)
    cache.scale[:rows, :, slot] = scale[..., 0]
    cache.v[:rows, :, slot] = _on_grid(v).reshape(rows, cache.heads, -1)
    seen: slice | Integers = slice(0, min(at + 1, cache.length)) if pattern is None else pattern(at)
    if distances is not None:  # what was at + 1 − L … at stands in the ring from its oldest on
        age = (slot - np.arange(min(at + 1, cache.length))) % cache.length
        distances = distances[None, :, age]
    return _attend(cache, q, seen, rows, distances)


def fill(cache: Cache, k: Floats, v: Floats) -> None:
    """Keys and values [lanes·L, C] of all positions at once."""
    shape = cache.lanes, cache.length, cache.heads, cache.width
    a, r = quantize_heads(k, cache.heads)
    cache.k = np.ascontiguousarray(a.reshape(shape).swapaxes(1, 2))
    cache.scale = r.reshape(shape[:3]).swapaxes(1, 2)
    cache.v = np.ascontiguousarray(_on_grid(v).reshape(shape).swapaxes(1, 2))


def look(cache: Cache, q: Floats) -> Floats:
    """Attend to everything in it: q [n, C]."""
    return _attend(cache, q, slice(0, cache.length), len(q), None)


def _attend(cache: Cache, q: Floats, seen: slice | Integers, rows: int, distances: Floats | None) -> Floats:
    a, r = quantize_heads(q, cache.heads)
    keys, values, scales = cache.k[:rows, :, seen], cache.v[:rows, :, seen], cache.scale[:rows, :, seen]
    scores = (keys @ a[..., None])[..., 0] * scales * (r * np.float32(1 / np.sqrt(cache.width)))
    if distances is not None:
        scores = scores + distances
    w: Integers = ops.exp2_weights(np, scores)
    total = w.sum(2, dtype=np.int64, keepdims=True).astype(np.float32)
    p = np.round(w.astype(np.float32) * (WEIGHT_SUM / total))
    acc = (p[:, :, None, :] @ values)[:, :, 0]
    count = p.astype(np.int32).sum(2, keepdims=True).astype(np.float32)
    values_seen: Floats = acc / count * np.float32(VALUE_LIMIT / 127)
    return values_seen.reshape(rows, -1)
