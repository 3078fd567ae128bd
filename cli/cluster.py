"""--ray: the jobs of a call as tasks of Ray, which chooses their machines and repeats the tasks of machines that are lost.

The command plans the targets and checks them; a task opens, codes and writes a few files as the command does without Ray. An output
appears complete or not at all, so a killed worker leaves nothing but a temporary file, and the end of the call removes that. A file is
done, skipped because its output exists, or failed.
"""

import contextlib
import os
import signal
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import click

from tokpress.errors import TokpressError

from . import output, signals, streams
from .main import describe
from .options import THREAD_VARIABLES
from .progress import counted
from .terminal import note

R = TypeVar("R")
Job = Callable[[str], R]
#: most files of a task, and most bytes: a task takes a millisecond, and is repeated as a whole
GROUP_FILES, GROUP_BYTES = 64, 1 << 24
#: tasks for each core that are handed to Ray before the first ends; attempts for each of them
TASKS_AHEAD, RETRIES = 4, 3
#: seconds in which tasks of a stopped call may remove their temporary files
PATIENCE = 10.0
#: in which a Ray answers
CONNECT_SECONDS = 10.0


class Outcome(NamedTuple, Generic[R]):
    """What became of one file, as a worker tells it."""

    name: str
    result: R | None
    #: of the error; empty: none
    message: str = ""
    traceback: str = ""
    #: whether there is an output that this attempt has not written
    exists: bool = False


@dataclass(frozen=True)
class Work:
    """What a worker needs beside names. Names are relative to `folder`."""

    job: bytes
    imports: tuple[str, ...]
    folder: str
    threads: int
    tag: str


def run(
    address: str,
    names: Iterable[str],
    job: Job[R],
    report: Callable[[R], None],
    target: Callable[[str], str | None],
    force: bool,
    quiet: bool,
) -> None:
    """As `jobs.run`, on the Ray at an address. target: the output of an input, None where there is none.

    Raises UsageError where an input is not a file that each machine can open."""
    names = list(names)
    for name in names:
        if kind := "stdin" if name == "-" else streams.kind(name):
            raise click.UsageError(f"--ray works on files in folders that all machines share, and {name} is {kind}")
    _Call(address, job, target, force, quiet).run(names, report)


class _Call(Generic[R]):
    """One call of a command. target: the output of an input, None where there is none."""

    def __init__(self, address: str, job: Job[R], target: Callable[[str], str | None], force: bool, quiet: bool):
        self._address, self._job, self._target = address, job, target
        self._force, self._quiet = force, quiet
        self._counts: Counter[str] = Counter()
        self._failed: list[str] = []
        self._bytes = [0, 0]
        self._sizes: dict[str, int] = {}
        self._folders: set[str] = set()

    def run(self, names: list[str], report: Callable[[R], None]) -> None:
        """Run the job on each input, and `report` on each result, in the order in which they end. Errors are printed; the exit code is
        then 1."""
        ctx = click.get_current_context()
        tag = os.urandom(4).hex() + "-"
        missing = list(self._missing(names))
        try:
            if missing:
                with (
                    _connected(self._address) as ray,
                    contextlib.closing(self._outcomes(ray, missing, tag)) as outcomes,
                ):
                    for outcome in outcomes:
                        self._add(outcome, report, ctx)
        finally:
            output.sweep_folders(self._folders, tag)
            self._end(len(names))
        if self._failed:
            ctx.exit(1)

    # --- tasks

    def _outcomes(self, ray: Any, files: list[tuple[str, int]], tag: str) -> Generator[Outcome[R], None, None]:
        ctx = click.get_current_context()
        threads = ctx.meta.get("tokpress.threads") or 1
        slots = _slots(ray, threads)
        imports = tuple(
            os.path.abspath(name) if os.path.isfile(name) else name for name in ctx.meta.get("tokpress.imports", ())
        )
        work = ray.put(Work(ray.cloudpickle.dumps(self._job), imports, os.getcwd(), threads, tag))
        task = ray.remote(num_cpus=threads, max_retries=RETRIES)(_work)
        groups = deque(_groups(files, max(1, min(GROUP_FILES, len(files) // (2 * slots)))))
        pending: dict[Any, list[str]] = {}
        try:
            while groups or pending:
                while groups and len(pending) < TASKS_AHEAD * slots:
                    group = groups.popleft()
                    pending[task.remote([work], group)] = group
                ended, _ = ray.wait(list(pending), timeout=0.5)  # a signal is seen between two waits
                signals.check()
                for reference in ended:
                    group = pending.pop(reference)
                    try:
                        yield from ray.get(reference)
                    except ray.exceptions.RayTaskError as error:  # not of a job: a module that its machine lacks
                        reason = str(error).strip().splitlines()[-1]
                        yield from (Outcome(name, None, f"{name}: its worker failed: {reason}") for name in group)
                    except ray.exceptions.RayError as error:
                        if len(group) > 1:  # one of them may be the cause
                            groups.extend([name] for name in group)
                            continue
                        reason = f"its worker was lost {RETRIES + 1} times: {_first_line(error)}"
                        yield Outcome(group[0], None, f"{group[0]}: {reason}")
        finally:
            for reference in pending:
                ray.cancel(reference)  # as by Ctrl-C; `force` may end this process instead (Ray 2.60)
            if pending:
                ray.wait(list(pending), num_returns=len(pending), timeout=PATIENCE)

    def _missing(self, names: list[str]) -> Iterator[tuple[str, int]]:
        """Inputs without an output, and their sizes. The others are counted."""
        for name in names:
            target = self._target_of(name)
            if target is not None and not self._force and os.path.lexists(target) and not os.path.isdir(target):
                self._counts["skipped"] += 1
                note(f"{name}: {target} exists already, skipped", self._quiet)
                continue
            if target is not None:
                self._folders.add(os.path.dirname(target))
            try:
                self._sizes[name] = os.stat(name).st_size
            except OSError:  # reported by its job
                self._sizes[name] = 0
            yield name, self._sizes[name]

    def _target_of(self, name: str) -> str | None:
        try:
            return self._target(name)
        except TokpressError:  # reported by its job
            return None

    # --- report

    def _add(self, outcome: Outcome[R], report: Callable[[R], None], ctx: click.Context) -> None:
        name, target = outcome.name, self._target_of(outcome.name)
        written = outcome.exists or (
            outcome.message and target and not os.path.lexists(name) and os.path.lexists(target)
        )
        if outcome.message and not written:
            if ctx.meta.get("tokpress.verbose"):
                for line in outcome.traceback.splitlines():
                    note(line.replace("\t", "    "))
            note(f"tokpress: {outcome.message}")
            self._failed.append(name)
            return
        try:
            if outcome.result is not None:
                report(outcome.result)
            else:  # it was not there when the call began
                note(
                    f"{name}: {target} was written by a worker that was lost afterwards, or by another process",
                    self._quiet,
                )
        except TokpressError as error:
            note(f"tokpress: {describe(error, name)}")
            self._failed.append(name)
            return
        self._counts["done"] += 1
        self._bytes[0] += self._sizes[name]
        if target is not None:
            with contextlib.suppress(OSError):
                self._bytes[1] += os.stat(target).st_size

    def _end(self, count: int) -> None:
        done, skipped, failed = self._counts["done"], self._counts["skipped"], len(self._failed)
        line = f"{counted(count, 'file')}: {done:,} done, {skipped:,} skipped, {failed:,} failed"
        if (left := count - done - skipped - failed) > 0:
            line += f", {left:,} not reached"
        written = f" → {self._bytes[1]:,}" if self._folders else ""
        note(f"{line}; {self._bytes[0]:,}{written} bytes", self._quiet)
        for name in self._failed:
            note(f"tokpress: failed: {name}")


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, at an address. Without one, that of $RAY_ADDRESS, the one that runs on this machine, or a local one, which ends with the call."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to the makers of Ray
    import logging

    import ray

    if address and (reason := _connect_error(address)):  # Ray would try for minutes
        raise TokpressError(f"cannot reach the Ray at {address}: {reason}")
    if not address and not os.environ.get("RAY_ADDRESS") and (last := _last_address()) and _connect_error(last):
        address = "local"  # a dead cluster left its address, and Ray would wait for it
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address or None, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    except Exception as error:  # Ray raises those of many libraries, and plain ones
        ray.shutdown()
        action = f"cannot reach the Ray at {address}" if address else "cannot start a Ray"
        raise TokpressError(f"{action}: {_first_line(error)}") from error
    try:
        for signum, handler in before.items():  # Ray has one of its own
            signal.signal(signum, handler)
        yield ray
    finally:
        ray.shutdown()


def _connect_error(address: str) -> str:
    """Why nothing listens at HOST:PORT; empty where something does, and for other addresses."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return ""
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        return _first_line(error)
    return ""


def _last_address() -> str:
    """The address that the last Ray of this machine left, where a new one looks for it."""
    path = os.path.join(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray", "ray_current_cluster")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(256).strip()
    except OSError:
        return ""


def _slots(ray: Any, threads: int) -> int:
    """Tasks that run at once. Raises TokpressError where none can."""
    machines = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    if 0 < max(machines, default=0) < threads:
        raise TokpressError(f"-T {threads}: no machine of this Ray has so many cores: lower it")
    return max(1, sum(int(cores // threads) for cores in machines))  # none yet: Ray may start machines


def _groups(files: Iterable[tuple[str, int]], most: int) -> Iterator[list[str]]:
    """Files of one task: at most so many, and large ones alone."""
    group: list[str] = []
    total = 0
    for name, size in files:
        if group and (len(group) >= most or total + size > GROUP_BYTES):
            yield group
            group, total = [], 0
        group.append(name)
        total += size
    if group:
        yield group


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


# --- in a worker


def _work(work: list[Any], names: list[str]) -> list[Outcome[Any]]:
    """The task. work: a reference, which is resolved once in each process."""
    known, job = _loaded(work[0])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(known.threads)))
    try:
        os.chdir(known.folder)
    except OSError as error:
        where = f"{os.uname().nodename} has no folder {known.folder}" if hasattr(os, "uname") else known.folder
        return [Outcome(name, None, f"{name}: {where}: {error.strerror}: share it with all machines") for name in names]
    with output.tagged(known.tag):
        return [_outcome(job, name) for name in names]


@lru_cache(maxsize=1)
def _loaded(reference: Any) -> tuple[Work, Job[Any]]:
    import ray

    from tokpress.registry import load_module

    work = ray.get(reference)
    for name in work.imports:
        load_module(name)
    return work, ray.cloudpickle.loads(work.job)


def _outcome(job: Job[R], name: str) -> Outcome[R]:
    from traceback import format_exc

    try:
        return Outcome(name, job(name))
    except output.Exists:
        return Outcome(name, None, exists=True)
    except Exception as error:
        return Outcome(name, None, describe(error, name), format_exc())
