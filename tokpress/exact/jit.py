"""`njit`: numba's, with a cache on disk where there is a place for it, and without one where there is none.

Plain `numba.njit(cache=True)` raises where neither the package nor the home directory can be written to, when the
disk fills up while it saves, and when what it finds there is damaged. A cache only saves time: here none of that
is an error, and the function is compiled anew in each process instead.

The cache is in $NUMBA_CACHE_DIR or the user's cache folder, not beside the source as numba would have it: pip does
not remove what it has not installed, and the folders that stay behind hide an editable installation that follows.
"""

import contextlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

from . import on_compile

#: For functions that only touch the arrays they are given: no counting of references to them and to their views.
#: An adaptive prior runs a quarter faster without. A function that allocates does not compile with it.
NO_ALLOCATION: dict[str, Any] = {"_nrt": False}


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, float, int], ...]:
    """Name, time and size of every module here that may be compiled: a function is compiled with those it calls."""
    package = Path(__file__).parent.parent
    files = [
        path for part in ("coders", "exact", "priors", "training") for path in sorted(package.glob(f"{part}/*.py"))
    ]
    return tuple((path.name, path.stat().st_mtime, path.stat().st_size) for path in files)


class _OutsideThePackage(caching.CompileResultCacheImpl):
    """$NUMBA_CACHE_DIR or the user's cache folder; never the package's __pycache__."""

    _locator_classes = [  # noqa: RUF012
        locator for locator in caching.CompileResultCacheImpl._locator_classes if "InTree" not in locator.__name__
    ]


class _Careful(caching.FunctionCache):
    """Whatever goes wrong with a cache, it is as if it were empty."""

    _impl_class = _OutsideThePackage

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        # numba looks only at the file of the function itself
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        with contextlib.suppress(
            Exception
        ):  # an unreadable file, or one that is cut short: whatever pickle makes of it
            # numba's load_overload first imports all that compiling needs, for 0.2 s; what is compiled already needs only this
            rtsys.initialize(target_context)
            found = self._load_overload(sig, target_context)
        if found is None:
            _tell()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk, a folder that has gone
            pass
        except Exception:  # the index is damaged: begin a new one
            with contextlib.suppress(Exception):
                self.flush()
                super().save_overload(sig, data)


class _None(caching.NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        _tell()


def _tell() -> None:
    for call in on_compile:
        call()


def njit(function: Callable | None = None, **options: Any) -> Any:
    """`numba.njit(**options)`, as a decorator with or without arguments; cached wherever that is possible.

    >>> @njit(error_model="numpy")
    ... def twice(x):
    ...     return 2 * x
    >>> twice(21)
    42
    """
    if function is None:
        return lambda function: njit(function, **options)
    compiled = numba.njit(**options)(function)
    compiled._cache = _cache(function)  # what enable_caching() does with numba's own
    return compiled


def is_cached(function: Any) -> bool:
    """Whether a function made by `njit` has been compiled before, for this processor and from these sources."""
    with contextlib.suppress(Exception):  # of a damaged index nothing is known
        here, files = cpu_target.target_context.codegen().magic_tuple(), function._cache._cache_file
        kept = [name for key, name in files._load_index().items() if key[1] == here]
        return any(Path(files._data_path(name)).is_file() for name in kept)
    return False


def _cache(function: Callable) -> Any:
    try:
        return _Careful(function)
    except (RuntimeError, OSError):  # no place where it may write
        return _None()
