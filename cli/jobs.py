"""The inputs of a call: open each, find its target, do the work, go on with the next after an error.

They run one after another, or side by side in threads (`side_by_side`) where each input is a file and each output another file. The
user sees the same messages in the same order: messages are held until their input's turn comes.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import BinaryIO, TypeVar, cast

import click

from . import output, signals, streams
from .main import describe
from .options import shown
from .place import Place, file_keys
from .terminal import Desk, note, traceback

R = TypeVar("R")
#: gives what the work on one input has made, or raises
Outcome = Callable[[], R]


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


def each(
    ctx: click.Context,
    names: Iterable[str],
    work: Callable[[str], R],
    done: Callable[[R], None] = lambda made: None,
    large: Callable[[str], bool] | None = None,
) -> None:
    """`work` on each input, then `done` with what it has made, in order. Errors are told, and the exit code is 1 if there were any.

    large: whether an input takes all threads itself; the others are worked on side by side. None: one after another."""
    failed = False
    outcomes = one_by_one(names, work) if large is None else side_by_side(names, work, large)
    with contextlib.closing(outcomes):
        for name, outcome in outcomes:
            try:
                done(outcome())
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


def one_by_one(names: Iterable[str], work: Callable[[str], R]) -> Generator[tuple[str, Outcome[R]], None, None]:
    for name in names:
        yield name, partial(work, name)


def side_by_side(
    names: Iterable[str], work: Callable[[str], R], large: Callable[[str], bool]
) -> Generator[tuple[str, Outcome[R]], None, None]:
    """As many inputs at once as there are threads; but a large one, which uses all of them itself and needs much memory, alone.

    Whoever closes this iterator early stops the work behind, at its next look at `signals.check`."""
    from tokpress.codec.ahead import Ahead  # not for --help
    from tokpress.exact.threads import Task, processors

    def run(job: tuple[str, Desk]) -> tuple[str, Outcome[R]]:
        name, desk = job
        task = Task(work, name)
        with desk.used(), signals.stopping(ahead.check):
            task.run()

        def outcome() -> R:
            desk.show()
            return task.result()

        return name, outcome

    for alone, group in groupby(names, large):
        if alone or processors() < 2:
            yield from one_by_one(group, work)
            continue
        jobs = ((name, Desk()) for name in group)
        with Ahead(jobs, run, processors(), due=lambda job: job[1].take_turn()) as ahead:
            yield from ahead


def are_files(names: Iterable[str]) -> bool:
    """Whether all inputs are files on disk (or missing: an error for later), so that jobs may read them side by side."""
    return all(name != "-" and not streams.kind(name) for name in names)


def size_of(name: str) -> int:
    """Bytes of a file; 0 where there is none, which is told when its turn comes."""
    try:
        return os.stat(name).st_size
    except OSError:
        return 0
