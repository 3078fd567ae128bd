"""Where the mixing of a bitwise prior begins, if it was primed: tensors of the model (`training.priming` makes them).

    mixing.weights     int8 [R, 32]           q adds q · |q| · 2^−14 to a first weight
    mixing.counters    uint16 [5, 13, 256]    p of a one after each history of a context: 12 bits of p, then 4 bits, a fourth of the times seen
    mixing.matched     uint16 [16, 32, 2]     the same, of matches

R rows: those by match, base, last byte and letters of each phase, then one for each node but those of the last decision
(bitwise_model.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...exact.tensors import MIXED, PRIMED_COUNTER, check, nothing_else
from ...native.bitwise import COUNTERS, IN_A_ROW, MATCHED, Primed, rows_of_weights
from ...storage.tensors import buffers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..context_mixing.counters import Counter

PREFIX = "mixing."
NAMES = "weights", "counters", "matched"
#: a unit of times seen
SEEN_UNIT = 4


class Priming:
    """The tensors, by name without the prefix. Raises ModelError where they are not those of V symbols."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], symbols: int) -> None:
        shapes = (rows_of_weights(symbols), IN_A_ROW), COUNTERS, MATCHED
        for name, shape, kind in zip(NAMES, shapes, (MIXED, PRIMED_COUNTER, PRIMED_COUNTER)):
            check(tensors, name, shape, kind)
        nothing_else(tensors, set(NAMES))
        self._tensors = tensors

    def in_core(self) -> Primed:
        return Primed(*(buffers(self._tensors)[name] for name in NAMES))

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {PREFIX + name: self._tensors[name] for name in NAMES}

    def weights(self, row: int) -> list[int]:
        """What is added to the first weights of a row; nothing, of a row that is not primed."""
        if row >= len(self._tensors["weights"]):
            return [0] * IN_A_ROW
        return [q * abs(q) for q in self._tensors["weights"][row].tolist()]

    def counter(self, phase: int, context: int, history: int) -> Counter:
        return counter_of(int(self._tensors["counters"][phase, context, history]))

    def matched(self, decision: int, bucket: int, expected: int) -> Counter:
        return counter_of(int(self._tensors["matched"][decision, bucket, expected]))


def counter_of(word: int) -> Counter:
    """
    >>> counter_of(0x8003)
    (2097152, 12)
    """
    return word >> 4 << 10, SEEN_UNIT * (word & 15)
