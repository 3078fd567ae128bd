"""`njit`: numba's, with a cache on disk where there is a place for it, and without one where there is none.

Plain `numba.njit(cache=True)` raises where neither the package nor the home directory can be written to, when the
disk fills up while it saves, and when what it finds there is damaged. A cache only saves time: here none of that
is an error, and the function is compiled anew in each process instead.

The cache is in $NUMBA_CACHE_DIR or the user's cache folder, not beside the source as numba would have it: pip does
not remove what it has not installed, and the folders that stay behind hide an editable installation that follows.
It is used only where nobody else can write (`owned`): what is in it is run.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.misc.appdirs import AppDirs

from . import on_compile, owned

#: For functions that only touch the arrays they are given: no counting of references to them and to their views.
#: An adaptive prior runs a quarter faster without. A function that allocates does not compile with it.
NO_ALLOCATION: dict[str, Any] = {"_nrt": False}


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, float, int], ...]:
    """Name, time and size of every module here that may be compiled: a function is compiled with those it calls."""
    package = Path(__file__).parent.parent
    files = [
        path
        for part in ("coding/coders", "exact", "priors", "training")
        for path in sorted(package.glob(f"{part}/*.py"))
    ]
    return tuple((path.name, path.stat().st_mtime, path.stat().st_size) for path in files)


class _Place(caching._SourceFileBackedLocatorMixin, caching._CacheLocator):
    """$NUMBA_CACHE_DIR or the user's cache folder; never the package's __pycache__."""

    def __init__(self, function: Callable, file: str) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno
        self._path = os.path.join(cache_folder(), self.get_suitable_cache_subpath(file))

    def get_cache_path(self) -> str:
        return self._path

    def ensure_cache_path(self) -> None:
        """Raises OSError where it cannot be written to, or others can."""
        self._path = owned.make(self._path)
        super().ensure_cache_path()


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = [_Place]  # noqa: RUF012


class _OwnFiles(caching.IndexDataCacheFile):
    """Files that nobody else can have written: they are pickles, which run what they say."""

    def _load_index(self) -> dict:
        return super()._load_index() if owned.is_own(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        path = self._data_path(name)
        if not owned.is_own(path):
            raise OSError(f"{path} belongs to somebody else, or others can write to it")
        return super()._load_data(name)

    @contextlib.contextmanager
    def _open_for_write(self, path: str) -> Iterator[Any]:
        with super()._open_for_write(path) as file:
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), 0o600)  # whatever the umask is
            yield file


class _Careful(caching.FunctionCache):
    """Whatever goes wrong with a cache, it is as if it were empty."""

    _impl_class = _Implementation

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        files = self._cache_file
        # numba looks only at the file of the function itself
        stamp = (files._source_stamp, _sources())
        self._cache_file = _OwnFiles(self._cache_path, self._impl.filename_base, stamp)

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


def cache_folder() -> str:
    """The folder for compiled code. Raises OSError where there is none."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return os.path.abspath(chosen)
    home = os.path.expanduser("~")
    folder = AppDirs(appname="numba", appauthor=False).user_cache_dir
    if not os.path.isabs(folder) or (folder.startswith(home) and not os.path.isdir(home)):
        raise OSError("this user has no home directory")
    return folder


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
    except (RuntimeError, OSError):  # no place where it, and it alone, may write
        return _None()


if hasattr(os, "register_at_fork"):  # a child has no thread that would finish compiling, and release the lock
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
