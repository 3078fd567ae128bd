"""Check the settings of a tokenizer or a prior, from `--set key=value` or config.json: keys, types and bounds."""

import math
from typing import Any

from ..errors import TokpressError

#: largest value of a setting; 65,536 for those that are not listed
MAX = {"depth": 256, "grams": 1 << 20}


def _of_kind(value: Any, kind: type) -> Any:
    """A value of that type, converted from text. Raises ValueError, OverflowError."""
    if isinstance(value, str):
        return value.lower() in ("1", "true", "yes") if kind is bool else kind(value)
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and type(value) is int:
        return str(value)
    raise ValueError


def settings_of(name: str, given: dict[str, Any], defaults: dict[str, Any], what: str = "the prior") -> dict[str, Any]:
    """`defaults`, replaced by the `given` settings, whose values may be text. Raises TokpressError where a setting is unknown, or
    its value has another type or is out of bounds.

    >>> settings_of("mingru", {"width": "64"}, {"width": 256, "depth": 4})
    {'width': 64, 'depth': 4}
    """
    out = dict(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise TokpressError(
                f"{what} {name!r} has no setting {key!r}; it has: {', '.join(defaults) or 'none'} (a newer tokpress may have more)"
            )
        kind = type(defaults[key])
        try:
            out[key] = _of_kind(value, kind)
        except (ValueError, OverflowError):
            raise TokpressError(
                f"{key}={str(value)[:60]} of {what} {name!r} should be of type {kind.__name__}"
            ) from None
        if kind is int and out[key] > MAX.get(key, 1 << 16):
            raise TokpressError(f"{key}={value} of {what} {name!r} should be at most {MAX.get(key, 1 << 16):,}")
        if kind is float and not math.isfinite(out[key]):
            raise TokpressError(f"{key}={value} of {what} {name!r} should be a finite number")
        if key == "dropout" and out[key] >= 1:
            raise TokpressError(f"{key}={value} of {what} {name!r} should be below 1")
        least = min(1, defaults[key]) if kind is int else 0
        if kind in (int, float) and out[key] < least:
            raise TokpressError(f"{key}={value} of {what} {name!r} should be at least {least}")
    return out
