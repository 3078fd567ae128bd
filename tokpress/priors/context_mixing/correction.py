"""The last stage: average the mixer's p with the frequency of ones after such a p (secondary symbol estimation; Mahoney's APM).

A row holds one probability for each octave of log-odds. The table's p is interpolated between two bins; the result is the mean of
the mixer's p and the table's p. The nearer bin learns: bin += (bit − bin) / 2^6. `core/correction.h` is the same.
"""

from .logistic import CENTRE, OCTAVE, clamp, squash_table

BINS = 32
RATE = 6


def new_row() -> list[int]:
    """A row that equals the mixer's p."""
    return [squash_table()[clamp(OCTAVE * at, 1, 2 * CENTRE - 1)] for at in range(BINS)]


def predict(row: list[int], log_odds: int) -> tuple[int, int]:
    """(p · 2^16, the bin that learns)."""
    x = log_odds + CENTRE
    at, share = divmod(x, OCTAVE)
    table = (row[at] * (OCTAVE - share) + row[at + 1] * share) >> 8
    return clamp((squash_table()[x] + table) >> 1, 4, 65532), at + (share >> 7)


def learn(row: list[int], at: int, bit: int) -> None:
    row[at] += (bit * 65535 - row[at]) >> RATE
