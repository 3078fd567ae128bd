"""Adaptive probabilities: each moves towards the outcome by 1 / (times seen + 3/2). `core/counters.h` is the same.

A counter is a pair (p of a one in 22 bits, times seen).
"""

from .logistic import stretch

Counter = tuple[int, int]
UNKNOWN: Counter = (1 << 21, 0)


def inputs(counter: Counter) -> tuple[int, int]:
    """Two inputs of a mixer: the log-odds, and p − ½."""
    return stretch(counter[0]), (counter[0] >> 12) - 512


def learn(counter: Counter, bit: int, max_count: int) -> Counter:
    """The counter after a bit. The count stops at `max_count`, so that recent bits keep their weight."""
    p, seen = counter
    error = (bit << 22) - p
    change = 2 * abs(error) // (2 * seen + 3)  # towards 0
    return p + (change if error > 0 else -change), seen + (seen < max_count)
