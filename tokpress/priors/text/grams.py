"""Hashed n-grams: rows of two large tables for the last two and three symbols, added to the embedding of the last one.

    x_t = E[s_t] + W [E_2[h(s_t, s_{t−1})], E_3[h(s_t, s_{t−1}, s_{t−2})]]

A table look-up replaces weights and steps of the network: tables cost bytes in the model file, and hardly any time. N-grams may share a row (h is a hash); the rest of the network tells them apart. Huang et al. 2025,
"Over-tokenized transformer", §3 (n-gram embeddings by modular tables); Svenstrup et al. 2017, "Hash embeddings for efficient
word representations". Each table has G rows of F numbers. The symbols before the first one of a lane are 0.
"""

from typing import Any

MASK = 0x7FFFFFFF
#: names of the two tables and of the matrix that mixes them
TWO, THREE, MIX = (f"embedding_grams.{part}" for part in ("two", "three", "mix"))


def slots(now: Any, before: Any, long_before: Any, rows: int) -> tuple[Any, Any]:
    """Rows of both tables, whose size `rows` is a power of two. Takes numbers, and int64 arrays of numpy and torch.

    >>> slots(7, 0, 0, 1024), slots(7, 0, 1, 1024)
    ((947, 822), (947, 313))
    """
    two = (now * 0x2C1B3C6D + before * 0x297A2D39 + 0x1B873593) & MASK
    two = ((two ^ (two >> 15)) * 0x2545F491) & MASK
    three = (two + long_before * 0x3C6EF372) & MASK
    three = ((three ^ (three >> 15)) * 0x2C1B3C6D) & MASK
    return ((two ^ (two >> 13)) >> 3) & (rows - 1), ((three ^ (three >> 13)) >> 3) & (rows - 1)
