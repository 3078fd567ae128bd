"""One input after another: open it, find its target, do the work, go on with the next after an error."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, cast

import click

from . import output, signals, streams
from .main import describe
from .options import shown
from .place import Place, file_keys
from .terminal import note, traceback


@contextlib.contextmanager
def reading(name: str, seekable: bool = False) -> Iterator[BinaryIO]:
    """An input as a binary stream. `seekable`: what a pipe brings is copied to a temporary file first."""
    if os.path.isdir(name):
        raise output.OutputError(f"{name}: is a directory: name the files in it")
    with streams.opened(name) as file:
        if file.seekable() or not seekable:
            yield file
            return
        import shutil
        import tempfile

        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(file, spool)
            spool.seek(0)
            yield cast(BinaryIO, spool)


@contextlib.contextmanager
def writing(place: Place, source: BinaryIO, name: str, target: str | None, binary: bool) -> Iterator[BinaryIO]:
    """The output of one input; at the end the input is removed if that was asked for."""
    if target is None:
        with streams.standard_output(binary, place.force) as out:
            yield out
        return
    if streams.kind(target):
        with streams.writing(target, binary, place.force) as out:
            yield out
        return
    read = _named_file(source, name)
    place.check_target(name, target)
    output.check(target, "-", place.force)
    with output.create(target, place.force, read, sync=place.remove) as out:
        yield out
        place.made |= dict.fromkeys(file_keys(os.fstat(out.fileno())), name)
    signals.check()
    if place.remove and name not in place.spared and read and stat.S_ISREG(read.st_mode):
        output.remove(name, read)
        for key in file_keys(read):  # another file may be given its inode
            place.read.pop(key, None)


def check_unchanged(name: str, source: BinaryIO, before: os.stat_result | None) -> None:
    """Raise OutputError where a file was written to while it was read: it may have been read partly as it was before, and
    partly as it is now."""
    now = streams.status(source)
    if before and not (now and output.unchanged(before, now)):
        raise output.changed(shown(name), "nothing of it can be relied on")


def _named_file(source: BinaryIO, name: str) -> os.stat_result | None:
    """The status of an input, where it can be had by its name again: not of stdin, nor of what was spooled."""
    if name == "-" or streams.descriptor(name) is not None:
        return None
    read = os.fstat(source.fileno())
    try:
        return read if os.path.samestat(read, os.stat(name)) else None
    except OSError:  # it is gone
        return None


def each(ctx: click.Context, names: Iterable[str], work: Callable[[str], None]) -> None:
    """`work` on each input. Errors are told, and the exit code is 1 if there were any."""
    failed = False
    for name in names:
        try:
            work(name)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            signals.check()
            failed = True
            if ctx.meta.get("tokpress.verbose"):
                traceback()
            note(f"tokpress: {describe(error, shown(name))}")
    if failed:
        ctx.exit(1)
