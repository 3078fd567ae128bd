"""Output files that appear under their name complete, or not at all.

An output is written under a temporary name in the folder of its target, and renamed when it is complete. Without `force`, this fails
where the target exists by then. Other users of the folder can replace names, so only descriptors are trusted: owner, mode and times
are set through that of the file, names are looked up through that of the folder, and before the rename the temporary name must still
be that of the written file.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import BinaryIO, cast

from tokpress.errors import TokpressError

from . import signals

PREFIX = ".tokp-"
FULL = {getattr(errno, name, 0) for name in ("ENOSPC", "EDQUOT", "EFBIG")}
#: errors of file systems without hard links
NO_LINKS = {getattr(errno, name, 0) for name in ("EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS")}
#: Windows does not rename open files
CLOSED_FIRST = os.name == "nt"


class OutputError(TokpressError):
    """The target cannot be written to."""


class Exists(OutputError):
    """The target is a file already."""


def check(target: str, source: str, force: bool) -> None:
    """Raise OutputError where a target cannot be written. `source`: the input, "-" for none."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        if os.path.islink(target) and not force:  # a dangling link
            raise exists(target) from None
        if not os.path.isdir(folder := os.path.dirname(target) or "."):
            raise OutputError(
                f"{target}: there is no folder {folder}: create it, or choose another one with -o"
            ) from None
        return
    if stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{target}: is a directory: name a file with -o")
    if source != "-" and os.path.samestat(status, os.stat(source)):
        raise OutputError(f"{target}: is the input itself: choose another name with -o")
    if stat.S_ISREG(status.st_mode) and not force:
        raise exists(target)


def exists(target: str) -> Exists:
    return Exists(f"{target}: exists already: overwrite it with -f, or choose another name with -o")


@contextlib.contextmanager
def create(
    target: str, force: bool = False, source: os.stat_result | None = None, sync: bool = False
) -> Iterator[BinaryIO]:
    """A file to write and read. It gets the name `target` at the end of the `with`, unless that raises.

    source: the input, for owner, mode and times. sync: wait until the file is on disk."""
    with named(target), _Temporary(target) as temporary:
        with temporary.opened(private=source is not None) as file:
            yield file
            file.flush()
            if source:
                _copy_attributes(file.fileno(), source)
            if sync:
                os.fsync(file.fileno())
            signals.check()
            with signals.held():
                temporary.publish(file, force)
        if sync:
            temporary.remove()
            temporary.sync_folder()


class _Temporary:
    """The temporary file of one target. Its name is removed at the end of the `with`."""

    def __init__(self, target: str) -> None:
        folder, base = os.path.split(target)
        self._target, self._name = target, PREFIX + _tag.get() + os.urandom(8).hex()
        self._folder = _open_folder(folder)
        if self._folder is None:
            self._name = os.path.join(folder, self._name)
        self._target_name = target if self._folder is None else base
        self._status: os.stat_result | None = None

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
            self._status = os.fstat(number)
        with os.fdopen(number, "w+b") as file:
            yield cast(BinaryIO, file)

    def publish(self, file: BinaryIO, force: bool) -> None:
        """Rename the file to its target. Raises OutputError where that exists, or another file has the temporary name."""
        if CLOSED_FIRST:
            file.close()
        elif not self._is_ours(self._name):
            raise self._replaced()
        self._rename(force)
        if not CLOSED_FIRST and not self._is_ours(self._target_name):
            raise self._replaced()

    def _rename(self, force: bool) -> None:
        if force:
            self._check_replaceable()
        try:
            rename(self._folder, self._name, self._target_name, force)
        except FileExistsError:
            raise exists(self._target) from None

    def _check_replaceable(self) -> None:
        """Raise OutputError where the target is neither a file nor a link."""
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(self._target_name, dir_fd=self._folder, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise OutputError(f"{self._target}: is not a file: choose another name with -o")

    def _is_ours(self, name: str) -> bool:
        """Whether a name in the folder leads to the written file. Its inode is not reused while it is open."""
        try:
            status = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return self._status is not None and os.path.samestat(status, self._status)

    def _replaced(self) -> OutputError:
        return OutputError(
            f"{self._target}: another process replaced the file while it was written: choose a folder of your own with -o"
        )

    def remove(self) -> None:
        if self._is_ours(self._name):
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)

    def sync_folder(self) -> None:
        """Wait until the name of the target is on disk."""
        if self._folder is None:  # this system does not open folders
            return
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._folder)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def rename(folder: int | None, temporary: str | bytes, name: str | bytes, force: bool) -> None:
    """Rename a finished file within an open folder. Without `force`, raises FileExistsError where the name is taken."""
    folders = {} if folder is None else {"src_dir_fd": folder, "dst_dir_fd": folder}
    if not force:
        try:
            return os.link(
                temporary, name, **folders, follow_symlinks=not folders
            )  # the temporary name is removed later
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder))  # reserve the name
    try:
        os.replace(temporary, name, **folders)
    except OSError:
        if not force:
            os.unlink(name, dir_fd=folder)
        raise


#: temporary files that exist or are about to exist
_unfinished: set[_Temporary] = set()


#: the beginning of temporary names, behind PREFIX
_tag: ContextVar[str] = ContextVar("tag", default="")


@contextlib.contextmanager
def tagged(tag: str) -> Iterator[None]:
    """Temporary files of this context have a tag in their names, for `sweep_folders`."""
    before = _tag.set(tag)
    try:
        yield
    finally:
        _tag.reset(before)


def sweep_folders(folders: Iterable[str], tag: str) -> None:
    """Remove the temporary files with a tag, which processes that were killed have left in these folders."""
    for folder in folders:
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):
                if name.startswith(PREFIX + tag):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(folder, name))


def sweep() -> None:
    """Remove unfinished files that are left after a second interruption."""
    for temporary in list(_unfinished):
        temporary.remove()


def _open_folder(folder: str) -> int | None:
    """A descriptor for looking up names, valid after a rename of the folder; None where the system has none."""
    if os.open not in os.supports_dir_fd:
        return None
    return os.open(folder or ".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)


def _copy_attributes(file: int, source: os.stat_result) -> None:
    """Set owner, group, mode and times of the input, as far as permitted. Users who could not read the input cannot read the file:
    the owner is set first, while the file is private."""
    with contextlib.suppress(OSError, AttributeError):  # not every file system has these, nor every system fchown
        os.fchmod(file, copy_owner(file, source))
        os.utime(file, ns=(source.st_atime_ns, source.st_mtime_ns))


def copy_owner(file: int, source: os.stat_result) -> int:
    """Set owner and group of another file, as far as permitted. Returns the permission bits that lets its readers, and nobody else, read
    this file."""
    mode, now = source.st_mode & 0o777, os.fstat(file)
    if now.st_uid != source.st_uid:
        with contextlib.suppress(OSError):  # for root only
            os.fchown(file, source.st_uid, -1)
    if now.st_gid != source.st_gid:
        try:
            os.fchown(file, -1, source.st_gid)
        except OSError:  # with another group, the group gets the rights of all others
            mode &= 0o707 | (mode & 0o007) << 3
    return mode


def remove(name: str, status: os.stat_result) -> None:
    """Delete an input. Raises OutputError where its status differs from that when it was read."""
    folder_name, base = os.path.split(name)
    folder = _open_folder(folder_name)
    try:
        relative = name if folder is None else base
        if not unchanged(status, os.stat(relative, dir_fd=folder)):
            raise changed(name, "it is kept")
        os.unlink(relative, dir_fd=folder)
    except OSError as error:
        raise OutputError(
            f"{name}: its output is complete, but it cannot be deleted: {error.strerror}: delete it yourself"
        ) from error
    finally:
        if folder is not None:
            os.close(folder)


def unchanged(before: os.stat_result, now: os.stat_result) -> bool:
    return os.path.samestat(before, now) and (before.st_size, before.st_mtime_ns) == (now.st_size, now.st_mtime_ns)


def changed(name: str, outcome: str) -> OutputError:
    return OutputError(f"{name}: changed while it was read, so {outcome}: try again when no program writes to it")


LEFT_NOTHING = "nothing was left behind; free some space here or in $TMPDIR, or choose another place with -o"


@contextlib.contextmanager
def named(target: str, advice: str = LEFT_NOTHING) -> Iterator[None]:
    """Errors inside name the target, not the temporary file, and say what to do on a full disk."""
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
