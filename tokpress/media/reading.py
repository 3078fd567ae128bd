"""Read pictures and recordings by optional libraries; whatever they raise on a damaged file becomes a TokpressError."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import TokpressError


class Shown(NamedTuple):
    """A file of raw samples, and what is said of it."""

    #: a file of raw samples
    data: bytes
    #: of such a file; "" where it is the one that was given
    suffix: str
    #: what is not in it, in words: of pixels and samples for a lossy tokenizer, else of what is said beside them
    left_out: list[str]


#: module → package, where their names differ
PACKAGES = {"PIL": "Pillow"}


def needed(module: str, extra: str) -> Any:
    """A library of an optional extra. Raises TokpressError where it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise TokpressError(
            f'reading it needs {PACKAGES.get(error.name or "", error.name)}: pip install "tokpress[{extra}]"'
        ) from None


def reading(what: str, work: Callable[[], Any]) -> Any:
    """What `work` gives. Raises TokpressError for all that goes wrong, but for MemoryError."""
    try:
        return work()
    except (TokpressError, MemoryError):
        raise
    except Exception as error:  # whatever a reader of damaged files may raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = "of no kind that is known" if "BytesIO" in said else said
        raise TokpressError(f"no {what} that can be read: {said}") from error
