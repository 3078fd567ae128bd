"""`lazy`: an attribute that is computed when it is first asked for.

`functools.cached_property` up to Python 3.11 computes under a lock, which a fork beside another thread leaves locked for ever.
Here two threads may both compute a value; one of the two stays.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

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
