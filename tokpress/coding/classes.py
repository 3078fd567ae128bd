"""Classes of symbols: C classes of M symbols each, for class_factored.py and priors/text/class_head.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ModelError
from ..lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SymbolClasses(NamedTuple):
    """A symbol v is member place(v) mod M of class ⌊place(v) / M⌋.

    >>> classes = SymbolClasses.of(np.array([3, 0, 2, 1], np.int32), 2)
    >>> of_class, member = classes.split(np.array([0, 1])); of_class.tolist(), member.tolist()
    ([1, 0], [1, 0])
    >>> classes.join(of_class, member).tolist()
    [0, 1]
    """

    place: NDArray[np.int32]  # [V], symbol → place
    symbol: NDArray[np.int32]  # [V], place → symbol
    classes: int  # C
    members: int  # M, of each class

    @classmethod
    def of(cls, place: NDArray[np.int32], classes: int) -> SymbolClasses:
        """Raises ModelError unless `place` is a permutation, cut into 2 or more classes of equal size, a power of 2."""
        members = len(place) // classes
        if (
            min(classes, members) < 2
            or len(place) % classes
            or members & (members - 1)
            or not np.array_equal(np.sort(place), np.arange(len(place)))
        ):
            raise ModelError(f"model.safetensors: place is no order of {len(place)} symbols in {classes} classes")
        return cls(place, np.argsort(place).astype(np.int32), classes, members)

    def split(self, symbols: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(class, member) of each symbol."""
        place = self.place[symbols]
        return place // np.int32(self.members), place % np.int32(self.members)

    def join(self, of_class: NDArray[np.int32], member: NDArray[np.int32]) -> NDArray[np.int32]:
        """The symbol of each (class, member)."""
        symbols: NDArray[np.int32] = self.symbol[of_class * np.int32(self.members) + member]
        return symbols


def classes_of(prior: object) -> SymbolClasses | None:
    """The classes of a prior that predicts a symbol's class, then its member; a wrapper has those of the prior inside."""
    return getattr(prior, "classes", None)
