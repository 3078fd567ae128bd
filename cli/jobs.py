"""One job per input: open it, code it, write the output; after an error, go on with the next input.

Jobs run one after another, or in parallel threads (`_parallel`) where each input is a file and each output another file. The
user sees the same messages in the same order: the messages of a job are held until its turn comes. With --ray, jobs are tasks of a
Ray (`cluster`).
"""

import contextlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar, cast

import click

from . import output, signals, streams
from .main import describe
from .streams import display_name
from .targets import Targets
from .terminal import Desk, note, traceback

if TYPE_CHECKING:
    from tokpress.exact.threads import Task

R = TypeVar("R")
#: returns the result of a job, or raises its error
Outcome = Callable[[], R]


class Ray(NamedTuple):
    """--ray: where the jobs of a call run."""

    #: None: on this machine
    address: str | None
    #: the output of an input; None where there is none
    target: Callable[[str], str | None]
    force: bool
    quiet: bool


@contextlib.contextmanager
def reading(name: str, seekable: bool = False) -> Iterator[BinaryIO]:
    """An input as a binary stream. `seekable`: the content of a pipe is copied to a temporary file first."""
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
def writing(targets: Targets, source: BinaryIO, name: str, target: str | None, binary: bool) -> Iterator[BinaryIO]:
    """The output of one input. With --rm, the input is deleted at the end."""
    settings = targets.settings
    if target is None:
        with streams.standard_output(binary, settings.force) as out:
            yield out
        return
    if streams.kind(target):
        with streams.writing(target, binary, settings.force) as out:
            yield out
        return
    status = _status_by_name(source, name)
    targets.check(name, target)
    output.check(target, "-", settings.force)
    with output.create(target, settings.force, status, sync=settings.remove) as out:
        yield out
        targets.add_written(name, os.fstat(out.fileno()))
    signals.check()
    if settings.remove and name not in targets.kept and status and stat.S_ISREG(status.st_mode):
        output.remove(name, status)
        targets.forget(status)


def check_unchanged(name: str, source: BinaryIO, before: os.stat_result | None) -> None:
    """Raise OutputError where a file was written to while it was read: the output may mix old and new content."""
    now = streams.status(source)
    if before and not (now and output.unchanged(before, now)):
        raise output.changed(display_name(name), "its output is discarded")


def _status_by_name(source: BinaryIO, name: str) -> os.stat_result | None:
    """The status of an input that its name still leads to; None for stdin, a remote file and a temporary copy."""
    if name == "-" or streams.kind(name) in ("a stream", "a remote file"):
        return None
    status = os.fstat(source.fileno())
    try:
        return status if os.path.samestat(status, os.stat(name)) else None
    except OSError:  # it was deleted
        return None


def run(
    names: Iterable[str],
    job: Callable[[str], R],
    report: Callable[[R], None] = lambda result: None,
    large: Callable[[str], bool] | None = None,
    ray: Ray | None = None,
) -> None:
    """Run `job` on each input, and `report` on each result, in order. Errors are printed; the exit code is then 1.

    large: whether one input uses all threads by itself; other inputs run in parallel. None: one after another. ray: with an address, the jobs
    are tasks of that Ray, and end in any order."""
    if ray is not None and ray.address is not None:
        from . import cluster

        cluster.run(ray.address, names, job, report, ray.target, ray.force, ray.quiet)
        return
    ctx, failed = click.get_current_context(), False
    outcomes = _sequential(names, job) if large is None else _parallel(names, job, large)
    with contextlib.closing(outcomes):
        for name, outcome in outcomes:
            try:
                report(outcome())
            except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
                raise
            except Exception as error:
                signals.check()
                failed = True
                if ctx.meta.get("tokpress.verbose"):
                    traceback()
                note(f"tokpress: {describe(error, display_name(name))}")
    if failed:
        ctx.exit(1)


def _sequential(names: Iterable[str], job: Callable[[str], R]) -> Generator[tuple[str, Outcome[R]], None, None]:
    for name in names:
        yield name, partial(job, name)


def _parallel(
    names: Iterable[str], job: Callable[[str], R], large: Callable[[str], bool]
) -> Generator[tuple[str, Outcome[R]], None, None]:
    """As many jobs at once as there are threads; a large input, which uses all threads and much memory, runs alone.

    Closing this iterator early stops the jobs at their next `signals.check`."""
    from tokpress.codec.ahead import Ahead  # not for --help
    from tokpress.exact.threads import Task, processors

    def run_job(queued: tuple[str, Desk]) -> tuple[str, Outcome[R]]:
        name, desk = queued
        task = Task(job, name)
        with desk.used(), signals.stopping(ahead.check):
            task.run()
        return name, partial(_outcome, desk, task)

    for is_large, group in groupby(names, large):
        if is_large or processors() < 2:
            yield from _sequential(group, job)
            continue
        queue = ((name, Desk()) for name in group)
        with Ahead(queue, run_job, processors(), on_turn=lambda queued: queued[1].take_turn()) as ahead:
            yield from ahead


def _outcome(desk: Desk, task: "Task[R]") -> R:
    """Show the held messages of a job, then return its result or raise its error."""
    desk.show()
    return task.result()


def are_files(names: Iterable[str]) -> bool:
    """Whether all inputs are files on disk or missing, so that jobs may read them in parallel."""
    return all(name != "-" and not streams.kind(name) for name in names)


def size_of(name: str) -> int:
    """Bytes of a file; 0 where it is missing, which its job reports."""
    try:
        return os.stat(name).st_size
    except OSError:
        return 0
