"""Work that waits until it is needed: `lazy`, an attribute computed when it is first asked for, and `np`, numpy imported at its first use.

`functools.cached_property` up to Python 3.11 computes under a lock, which a fork beside another thread leaves locked for ever.
Here two threads may both compute a value; one of the two stays.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

__all__ = ["lazy", "np"]

T = TypeVar("T")


class lazy(Generic[T]):
    """
    >>> class Circle:
    ...     radius = 2
    ...     @lazy
    ...     def area(self):
    ...         print("computed")
    ...         return 3 * self.radius**2
    >>> circle = Circle()
    >>> circle.area, circle.area
    computed
    (12, 12)
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self._name, self.__doc__ = compute, compute.__name__, compute.__doc__

    @overload
    def __get__(self, owner: None, cls: type) -> "lazy[T]": ...

    @overload
    def __get__(self, owner: object, cls: type) -> T: ...

    def __get__(self, owner: Any, cls: type) -> Any:
        if owner is None:
            return self
        return owner.__dict__.setdefault(self._name, self._compute(owner))


class _OnFirstUse:
    """A module that is imported when an attribute of it is first asked for."""

    def __init__(self, name: str) -> None:
        self.__dict__["__name__"] = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self.__name__), attribute)
        self.__dict__[attribute] = value  # later look-ups do not come here
        return value


if TYPE_CHECKING:
    import numpy as np
else:
    #: numpy, for modules that a small file goes through without needing it: `import numpy` takes longer than all else there
    np = _OnFirstUse("numpy")
