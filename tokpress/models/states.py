"""States on disk: what a model is after a context, so that later calls of other processes do not read the context again.

    $TOKPRESS_CACHE, $XDG_CACHE_HOME/tokpress or ~/.cache/tokpress     contexts/DIGEST.KEY     DIGEST: of the context
    MAGIC 8 │ key 32 │ digest 32 │ sizes of the two parts 4, 8 │ description, JSON │ state, as the core writes it

A state is a cache and no format: files are the same bytes with and without it. A key is a hash of all that the state depends on: the
model's settings and tensors, the tokens, the sources of the core, the instruction set. Another key, a wrong size or a wrong digest: the
context is read instead.

The values of a state are not checked, as those of Python's compiled modules are not. So a folder or a file is left alone where another
user owns it or may write to it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from ..container.digest import digest_of
from ..errors import TokpressError
from ..native import library

if TYPE_CHECKING:
    from hashlib import blake2b

MAGIC = b"tokpst01"
HEAD = Struct("<8s32s32sIQ")
NOT_YOURS = "another user owns this folder or may write to it: make it yours (chmod go-w), or name another one with TOKPRESS_CACHE"
#: names of states: the context's digest and a key; and of unfinished ones, which a process that was killed leaves behind
NAME = r"[0-9a-f]{16}\.[0-9a-f]{64}|\.[0-9a-f]{16}\.[0-9a-f]{15}\.[0-9a-f]{16}"
#: most bytes of a description
MAX_DESCRIPTION = 1 << 16
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"))
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY"))


def folder() -> Path:
    """Where states are. It may not exist."""
    if cache := os.environ.get("TOKPRESS_CACHE"):
        return Path(cache, "contexts")
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tokpress", "contexts")


class Entry(NamedTuple):
    """A file of the folder. size: bytes of the file. about: its description; empty where it is no state."""

    path: Path
    size: int
    about: dict[str, Any]

    @property
    def fits(self) -> bool:
        """Whether this core, on this machine, may take it up."""
        return bool(self.about) and self.about.get("layout") == _layout()


class Found:
    """The states of one context (`coding.context.States`)."""

    def __init__(self, digest: bytes) -> None:
        self._digest, self._folder = digest, folder()

    def path(self, key: bytes) -> Path:
        return self._folder / f"{self._digest.hex()}.{key.hex()}"

    def find(self, key: bytes) -> bytes | None:
        """A state; None where there is none, and, with a warning, where it is damaged or not the user's own."""
        if foreign(self._folder):
            _warn(f"the states in {self._folder} are ignored: {NOT_YOURS}")
            return None
        path = self.path(key)
        try:
            _, state = _read(path, key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _warn(f"{path} is ignored: {getattr(error, 'strerror', None) or error}")
            return None
        return state

    def keep(self, key: bytes, state: Callable[[], bytes]) -> None:
        """Nothing is written but by `Kept`."""


class Kept(Found):
    """The same, where a state that is not there is written. about: what a list tells of it."""

    def __init__(self, digest: bytes, about: dict[str, Any]) -> None:
        super().__init__(digest)
        self._about = about
        self._entries: dict[Path, Entry] = {}

    @property
    def entries(self) -> list[Entry]:
        """What was found or written."""
        return [*self._entries.values()]

    def find(self, key: bytes) -> bytes | None:
        """The same. Raises OSError where there can be no folder, TokpressError where it is not the user's own."""
        _make(self._folder)
        if foreign(self._folder):
            raise TokpressError(f"{self._folder}: {NOT_YOURS}")
        if (state := super().find(key)) is not None:
            path = self.path(key)
            self._entries[path] = _entry(path)
        return state

    def keep(self, key: bytes, state: Callable[[], bytes]) -> None:
        """Write a state. Raises OSError; nothing is left behind then."""
        _write(path := self.path(key), key, json.dumps(self._about | {"layout": _layout()}).encode(), state())
        self._entries[path] = _entry(path)


def found(source: bytes) -> Found | None:
    """The states of a context; None where there are none."""
    try:
        names = os.listdir(folder())
    except OSError:
        return None
    digest = digest_of(source) if names else b""
    return Found(digest) if any(name.startswith(digest.hex()) for name in names) else None


def entries() -> Iterator[Entry]:
    """The files of the folder that have the name of a state, finished or not. Raises OSError where it cannot be read."""
    if (place := folder()).is_dir():
        for path in sorted(place.iterdir()):
            with suppress(FileNotFoundError):  # removed meanwhile
                if re.fullmatch(NAME, path.name) and stat.S_ISREG(path.lstat().st_mode):
                    yield _entry(path)


def is_of(entry: Entry, digest: bytes) -> bool:
    """Whether it is a state after the context with this digest, finished or not."""
    return entry.path.name.removeprefix(".").startswith(f"{digest.hex()}.")


def foreign(place: Path) -> bool:
    """Whether another user owns a folder, or may write to it. False where there is none."""
    try:
        return not _is_own(place.stat())
    except OSError:
        return False


def _is_own(status: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)


def _layout() -> str:
    return library.layout() if library.is_here() else ""


def _hash(head: bytes) -> blake2b:
    from hashlib import blake2b  # slow to import

    return blake2b(head, digest_size=32)


def _read(path: Path, key: bytes | None) -> tuple[bytes, bytes]:
    """(description, state) of a file. key: None reads the description alone, unchecked. Raises OSError, and ValueError where it is
    damaged, has another key, or is not the user's own."""
    with open(os.open(path, _READ), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_own(status):
            raise ValueError("it is no file of yours that only you may write to")
        head = file.read(HEAD.size)
        if len(head) < HEAD.size:
            raise ValueError("it is damaged")
        magic, its_key, digest, length, size = HEAD.unpack(head)
        if magic != MAGIC or length > MAX_DESCRIPTION or HEAD.size + length + size != status.st_size:
            raise ValueError("it is damaged")
        description = file.read(length)
        if key is None:
            return description, b""
        state = file.read(size) if its_key == key else b""
    hashed = _hash(its_key + head[-12:])
    hashed.update(description)
    hashed.update(state)
    if len(state) != size or hashed.digest() != digest:
        raise ValueError("it is damaged")
    return description, state


def _write(path: Path, key: bytes, description: bytes, state: bytes) -> None:
    sizes = HEAD.pack(b"", b"", b"", len(description), len(state))[-12:]
    hashed = _hash(key + sizes)
    hashed.update(description)
    hashed.update(state)
    new = path.with_name(f".{path.name[:32]}.{os.urandom(8).hex()}")
    try:
        with open(os.open(new, _WRITE, 0o600), "wb") as file:
            for part in (MAGIC, key, hashed.digest(), sizes, description, state):
                file.write(part)
        os.replace(new, path)
    except BaseException as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        if isinstance(error, OSError):  # that of a write has no name
            raise OSError(error.errno, error.strerror, str(path.parent)) from error
        raise


def _make(place: Path) -> None:
    """Make the folder, readable by the user alone. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir(mode=0o700, exist_ok=True)


def _entry(path: Path) -> Entry:
    about: Any = {}
    with suppress(OSError, ValueError, RecursionError):
        about = json.loads(_read(path, None)[0])
    return Entry(path, path.lstat().st_size, about if isinstance(about, dict) else {})
