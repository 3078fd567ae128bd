"""A mixer: online logistic regression over int16 inputs (Mahoney, Florida Tech CS-2005-16). `core/mixer.h` is the same.

    x = Σ_i w_i · input_i        p = squash(x)        w_i += rate / 2^9 · (bit − p) · input_i

w is the sum of several rows of weights. A context selects each row: a row with few choices learns what holds in general, a row
with many choices learns special cases. All rows get the same update. 2^14 is a weight of 1; inputs are in 1/128 octave and x in
1/256, hence >> 13.
"""

from .logistic import LIMIT, clamp

#: the bias, an input of constant value
ONE = 512
#: smallest |error| that is learned, in 2^-16; smaller errors change little and cost time
SMALL = 128


def saturated(x: int) -> int:
    return clamp(x, -32768, 32767)


def predict(inputs: list[int], rows: list[list[int]]) -> int:
    """The log-odds, in 256ths of an octave."""
    total = 0
    for i, x in enumerate(inputs):
        weight = rows[0][i]
        for row in rows[1:]:
            weight = saturated(weight + row[i])
        total += x * weight
    return clamp(total >> 13, -LIMIT, LIMIT)


def learn(inputs: list[int], rows: list[list[int]], error: int, rate: int) -> None:
    """Update all rows. error: (bit − p) · 2^16; rate: at most 512."""
    if -SMALL < error < SMALL:
        return
    step = error * rate >> 10
    for i, x in enumerate(inputs):
        change = ((x * step >> 14) + 1) >> 1
        for row in rows:
            row[i] = saturated(row[i] + change)
