"""A mixer: online logistic regression over int16 inputs (Mahoney, Florida Tech CS-2005-16). `core/mixer.h` is the same.

    x = Σ_i w_i · input_i        p = squash(x)        w_i += rate · (bit − p) · input_i

w is the sum of some rows, each chosen by another context: what holds in general is learned in one, what is special in others.
They learn alike. A weight of 1 is 2^14.
"""

from .logistic import LIMIT, clamp

#: a constant input
ONE = 512
#: of 2^16: smaller errors teach little and are passed over, to save time
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
    """Move all rows. error: (bit − p) · 2^16."""
    if -SMALL < error < SMALL:
        return
    step = error * rate >> 10
    for i, x in enumerate(inputs):
        change = ((x * step >> 14) + 1) >> 1
        for row in rows:
            row[i] = saturated(row[i] + change)
