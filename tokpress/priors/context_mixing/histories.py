"""Bit histories: the bits that followed a context, summarised in one byte (zpaq's state table; Mahoney, *The ZPAQ Open Standard Format*).

A state is (zeros, ones, last bit); the last bit is kept only while zeros + ones ≤ 17. The larger count is at most MAX_COUNTS[smaller
count]. Each bit shrinks the other bit's count, so that recent bits weigh more. States are numbered by zeros + ones, so the lowest
number has the fewest bits: its slot is reused first. `core/histories.h` is the same.
"""

from functools import lru_cache

#: limit of the larger count, by the smaller one
MAX_COUNTS = (20, 48, 15, 8, 6, 5)


def kinds(zeros: int, ones: int) -> int:
    """Number of states of a pair of counts: 0, 1, or 2 where the last bit is kept."""
    small, large = sorted((zeros, ones))
    if small < 0 or small >= len(MAX_COUNTS) or large > MAX_COUNTS[small]:
        return 0
    return 2 if small and zeros + ones <= 17 else 1


def after(zeros: int, ones: int, bit: int) -> tuple[int, int]:
    """The counts after one more bit."""
    if zeros < ones:
        ones, zeros = after(ones, zeros, 1 - bit)
        return zeros, ones
    seen, other = (ones, zeros) if bit else (zeros, ones)
    seen, other = seen + 1, sum(other >= k for k in (1, 2, 3, 4, 5, 7, 8))
    zeros, ones = (other, seen) if bit else (seen, other)
    while not kinds(zeros, ones):
        if ones < 2:
            zeros -= 1
        else:
            zeros, ones = (zeros * (ones - 1) + ones // 2) // ones, ones - 1
    return zeros, ones


@lru_cache(maxsize=1)
def history_tables() -> tuple[list[list[int]], list[int]]:
    """(next state [2][256] after a bit, initial p [256] of 22 bits: (ones + ½) / (zeros + ones + 1))."""
    number: dict[tuple[int, int, int], int] = {}
    states = 0
    for total in range(50):
        for ones in range(total + 1):
            n = kinds(total - ones, ones)
            if n:
                number[total - ones, ones, 0] = states
                number[total - ones, ones, 1] = states + n - 1
                states += n
    following, first = [[0] * 256, [0] * 256], [1 << 21] * 256
    for (zeros, ones, _), state in number.items():
        first[state] = ((2 * ones + 1) << 21) // (zeros + ones + 1)
        for bit in (0, 1):
            following[bit][state] = number[*after(zeros, ones, bit), bit]
    return following, first
