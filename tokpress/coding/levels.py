"""The groups of an alphabet: G groups of R symbols (class_factored.py, priors/text/class_head.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ModelError
from ..lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Levels(NamedTuple):
    """
    >>> levels = Levels.of(np.array([3, 0, 2, 1], np.int32), 2)
    >>> group, rank = levels.split(np.array([0, 1])); group.tolist(), rank.tolist()
    ([1, 0], [1, 0])
    >>> levels.join(group, rank).tolist()
    [0, 1]
    """

    place: NDArray[np.int32]  # [V]
    symbol: NDArray[np.int32]  # [V], the reverse
    groups: int
    ranks: int

    @classmethod
    def of(cls, place: NDArray[np.int32], groups: int) -> Levels:
        """Raises ModelError where these are not the places of all symbols, in two or more groups of the same size, a power of 2."""
        ranks = len(place) // groups
        if (
            min(groups, ranks) < 2
            or len(place) % groups
            or ranks & (ranks - 1)
            or not np.array_equal(np.sort(place), np.arange(len(place)))
        ):
            raise ModelError(f"model.safetensors: place is no order of {len(place)} symbols in {groups} groups")
        return cls(place, np.argsort(place).astype(np.int32), groups, ranks)

    def split(self, symbols: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(group, rank) of each"""
        place = self.place[symbols]
        return place // np.int32(self.ranks), place % np.int32(self.ranks)

    def join(self, group: NDArray[np.int32], rank: NDArray[np.int32]) -> NDArray[np.int32]:
        return self.symbol[group * np.int32(self.ranks) + rank]


def levels_of(prior: object) -> Levels | None:
    """The groups of a prior that predicts them first; a wrapper has those of the prior inside."""
    return getattr(prior, "levels", None)
