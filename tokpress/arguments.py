"""Arguments of the public functions. A value of the wrong type raises a TypeError that names the argument.

>>> whole("tokens", "5")
Traceback (most recent call last):
TypeError: tokens must be a whole number, not str
>>> several("sources", "text")
Traceback (most recent call last):
TypeError: sources must be a list, not str
"""

import operator
import os
from collections.abc import Iterable
from typing import Any

#: above it, a number fits no size
MAX_WHOLE = (1 << 63) - 1


def whole(name: str, value: Any) -> int:
    """A whole number. Raises TypeError where it is none, ValueError where it has more than 63 bits."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}") from None
    if abs(number) > MAX_WHOLE:
        raise ValueError(f"{name} is out of range: {str(number)[:20]}…")
    return number


def is_number(value: object) -> bool:
    """Whether it is an int or a float. A bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def path(name: str, value: Any) -> str:
    """A path as a str. Raises TypeError where it is none."""
    if not isinstance(value, str | os.PathLike) or not isinstance(found := os.fspath(value), str):
        raise TypeError(f"{name} must be a path, not {type(value).__name__}")
    return found


def several(name: str, value: Any) -> list[Any]:
    """The items of a list or another iterable. Raises TypeError for what is not iterable, and for a single text, byte string or path,
    whose parts would be taken for the items."""
    if isinstance(value, str | bytes | bytearray | os.PathLike) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a list, not {type(value).__name__}")
    return list(value)
