"""Read pictures and recordings by optional libraries. Their errors on damaged files become TokpressErrors."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import TokpressError


class Shown(NamedTuple):
    """A file of raw samples and its description."""

    #: content of the file
    data: bytes
    #: suffix of the file; "" if it is the given file
    suffix: str
    #: names of the parts that are left out: of the samples, for a lossy tokenizer; otherwise of the metadata
    left_out: list[str]


#: module → package, where their names differ
PACKAGES = {"PIL": "Pillow"}


def needed(module: str, extra: str) -> Any:
    """A library of an optional extra. Raises TokpressError if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise TokpressError(
            f'reading it needs {PACKAGES.get(error.name or "", error.name)}: pip install "tokpress[{extra}]"'
        ) from None


def reading(what: str, read: Callable[[], Any]) -> Any:
    """Call `read` and return its result. Every error but MemoryError becomes a TokpressError."""
    try:
        return read()
    except (TokpressError, MemoryError):
        raise
    except Exception as error:  # readers of damaged files raise any error
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = "its format is unknown" if "BytesIO" in message else message
        raise TokpressError(f"the {what} cannot be read: {message}") from error
