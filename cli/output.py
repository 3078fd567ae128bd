"""Files that appear whole under their name, or not at all.

An output is written under a temporary name in the folder of its target, and gets the target's name when all of it is written.
Without `force` that step fails if the target has come to exist meanwhile. Names can be exchanged by whoever may write to the
folder, so only descriptors are trusted: owner, mode and times are set by the file's, names are looked up by the folder's, and
nothing is published unless the temporary name still names the file that was written.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, cast

from tokpress.errors import TokpressError

from . import signals

PREFIX = ".tokp-"
FULL = {getattr(errno, name, 0) for name in ("ENOSPC", "EDQUOT", "EFBIG")}
#: where a file cannot have a second name
NO_LINKS = {getattr(errno, name, 0) for name in ("EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS")}
#: Windows renames no file that is open
CLOSED_FIRST = os.name == "nt"


class OutputError(TokpressError):
    """The target cannot be written to."""


def check(target: str, source: str, force: bool) -> None:
    """Raise OutputError for what can be known before the work starts. `source`: the input, "-" for none."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        if os.path.islink(target) and not force:  # to nothing
            raise exists(target) from None
        if not os.path.isdir(folder := os.path.dirname(target) or "."):
            raise OutputError(
                f"{target}: there is no folder {folder}: make it first, or choose another with -o"
            ) from None
        return
    if stat.S_ISDIR(found.st_mode):
        raise OutputError(f"{target}: is a directory: name a file with -o")
    if source != "-" and os.path.samestat(found, os.stat(source)):
        raise OutputError(f"{target}: is the input itself: choose another name with -o")
    if stat.S_ISREG(found.st_mode) and not force:
        raise exists(target)


def exists(target: str) -> OutputError:
    return OutputError(f"{target}: exists already: overwrite it with -f, or choose another name with -o")


@contextlib.contextmanager
def create(
    target: str, force: bool = False, like: os.stat_result | None = None, sync: bool = False
) -> Iterator[BinaryIO]:
    """A file to write and read, which becomes `target` at the end of the `with`, unless it ends by an exception.

    `like`: the input whose owner, mode bits and times it takes. `sync`: it is on disk when the `with` has ended."""
    with named(target), _Temporary(target) as temporary:
        with temporary.opened(private=like is not None) as file:
            yield file
            file.flush()
            if like:
                _resemble(file.fileno(), like)
            if sync:
                os.fsync(file.fileno())
            signals.check()
            with signals.held():
                temporary.publish(file, force)
        if sync:
            temporary.remove()
            temporary.sync_folder()


class _Temporary:
    """The temporary file of one target. At the end of the `with` its name is removed."""

    def __init__(self, target: str) -> None:
        folder, base = os.path.split(target)
        self._target, self._name = target, PREFIX + os.urandom(8).hex()
        self._folder = _open_folder(folder)
        if self._folder is None:
            self._name = os.path.join(folder, self._name)
        self._target_name = target if self._folder is None else base
        self._made: os.stat_result | None = None

    def __enter__(self) -> "_Temporary":
        _unfinished.add(self)
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()
        _unfinished.discard(self)
        if self._folder is not None:
            os.close(self._folder)

    @contextlib.contextmanager
    def opened(self, private: bool) -> Iterator[BinaryIO]:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with signals.held():
            number = os.open(self._name, flags, 0o600 if private else 0o666, dir_fd=self._folder)
            self._made = os.fstat(number)
        with os.fdopen(number, "w+b") as file:
            yield cast(BinaryIO, file)

    def publish(self, file: BinaryIO, force: bool) -> None:
        """Give the file its target's name. Raises OutputError where that exists, or the temporary name is another file's."""
        if CLOSED_FIRST:
            file.close()
        elif not self._is_ours(self._name):
            raise self._exchanged()
        self._rename(force)
        if not CLOSED_FIRST and not self._is_ours(self._target_name):
            raise self._exchanged()

    def _rename(self, force: bool) -> None:
        if force:
            self._check_replaceable()
        try:
            rename(self._folder, self._name, self._target_name, force)
        except FileExistsError:
            raise exists(self._target) from None

    def _check_replaceable(self) -> None:
        """Raise OutputError where a file would take the place of a device or the like."""
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(self._target_name, dir_fd=self._folder, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise OutputError(f"{self._target}: is no file: choose another name with -o")

    def _is_ours(self, name: str) -> bool:
        """Whether a name in the folder is that of the file that was written. Its inode is not reused while it is open."""
        try:
            found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return self._made is not None and os.path.samestat(found, self._made)

    def _exchanged(self) -> OutputError:
        return OutputError(
            f"{self._target}: somebody exchanged the file while it was written: write to a folder that nobody else may "
            "write to, with -o"
        )

    def remove(self) -> None:
        if self._is_ours(self._name):
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)

    def sync_folder(self) -> None:
        """Put the target's name on disk."""
        if self._folder is None:  # this system opens no folders
            return
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._folder)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def rename(folder: int | None, temporary: str | bytes, name: str | bytes, force: bool) -> None:
    """Give a finished file its name, both in an open folder. Without `force`, raises FileExistsError where it is taken."""
    places = {} if folder is None else {"src_dir_fd": folder, "dst_dir_fd": folder}
    if not force:
        try:
            return os.link(temporary, name, **places, follow_symlinks=not places)  # the temporary name is removed later
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder))  # reserve the name
    try:
        os.replace(temporary, name, **places)
    except OSError:
        if not force:
            os.unlink(name, dir_fd=folder)
        raise


#: temporary files that exist, or are about to
_unfinished: set[_Temporary] = set()


def sweep() -> None:
    """Remove what is unfinished: the last resort, should a `with` have been interrupted twice."""
    for temporary in list(_unfinished):
        temporary.remove()


def _open_folder(folder: str) -> int | None:
    """A descriptor to look names up by, however the folder is renamed meanwhile; None where the system has none."""
    if os.open not in os.supports_dir_fd:
        return None
    return os.open(folder or ".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)


def _resemble(file: int, like: os.stat_result) -> None:
    """Set owner, group, mode bits and times, as far as we may. Nobody gets to read who could not read the input: the owner
    comes first, while only the owner may do anything."""
    with contextlib.suppress(OSError, AttributeError):  # not every file system has these, nor every system fchown
        mode, now = like.st_mode & 0o777, os.fstat(file)
        if now.st_uid != like.st_uid:
            with contextlib.suppress(OSError):  # for root only
                os.fchown(file, like.st_uid, -1)
        if now.st_gid != like.st_gid:
            try:
                os.fchown(file, -1, like.st_gid)
            except OSError:  # its group is another one: no more than everybody may do
                mode &= 0o707 | (mode & 0o007) << 3
        os.fchmod(file, mode)
        os.utime(file, ns=(like.st_atime_ns, like.st_mtime_ns))


def remove(name: str, read: os.stat_result) -> None:
    """Remove an input, if it is still as it was `read`. Raises OutputError where it is not."""
    folder, base = os.path.split(name)
    place = _open_folder(folder)
    try:
        here = name if place is None else base
        if not unchanged(read, os.stat(here, dir_fd=place)):
            raise changed(name, "it is kept")
        os.unlink(here, dir_fd=place)
    except OSError as error:
        raise OutputError(
            f"{name}: its output is complete, but it cannot be deleted: {error.strerror}: delete it yourself"
        ) from error
    finally:
        if place is not None:
            os.close(place)


def unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    return os.path.samestat(before, now) and (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


def changed(name: str, outcome: str) -> OutputError:
    return OutputError(f"{name}: changed while it was read, so {outcome}: try again when nothing writes to it")


LEFT_NOTHING = "nothing was left behind; free some space here or in $TMPDIR, or choose another place with -o"


@contextlib.contextmanager
def named(target: str, advice: str = LEFT_NOTHING) -> Iterator[None]:
    """Name the target instead of the temporary file; say what to do about a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EFBIG:
            advice = (
                "nothing was left behind; raise the limit on the size of files (ulimit -f), or choose another place"
            )
        if error.errno in FULL:
            raise OutputError(f"{target}: {error.strerror}: {advice}") from error
        if PREFIX in os.path.basename(str(error.filename or "")) or error.filename == (os.path.dirname(target) or "."):
            raise OutputError(f"{target}: {error.strerror}: choose another place with -o") from error
        raise
