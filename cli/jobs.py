"""One input after another: open it, find its target, do the work, go on with the next after an error."""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import click

from . import output, signals
from .main import describe
from .options import shown
from .progress import note

STDOUT = ("-", "/dev/stdout")  # the latter would be replaced, being a link, instead of written to


@dataclass
class Place:
    """What -o -c -f -k --rm said."""

    output: str | None
    stdout: bool
    force: bool
    keep: bool
    remove: bool
    quiet: bool
    spared: set[str] = field(default_factory=set)  # inputs that --rm must leave alone after all
    made: dict[str, str] = field(default_factory=dict)  # output → the input it was made of

    def check(self, files: list[str]) -> None:
        """Raise UsageError where the options contradict each other."""
        self.stdout = self.stdout or self.output in STDOUT
        if self.stdout and self.output not in (None, *STDOUT):
            raise click.UsageError("-o and -c exclude each other")
        if self.output and not self.stdout and len(files) > 1:
            raise click.UsageError("-o takes one input; for several into one, use -c and redirect it")
        if self.remove and (self.keep or self.stdout):
            raise click.UsageError(f"--rm and {'-k' if self.keep else '-c'} exclude each other")

    def target(self, source: str, name: Callable[[str], str]) -> str | None:
        """Where the result of `source` goes, None for stdout; `name` derives it from the source's."""
        if self.stdout or (source == "-" and not self.output):
            return None
        return self.output or name(source)


@contextlib.contextmanager
def reading(name: str, seekable: bool = False) -> Iterator[BinaryIO]:
    """An input as a binary stream. `seekable`: what a pipe brings is copied to a temporary file first."""
    if os.path.isdir(name):
        raise output.OutputError(f"{name}: is a directory: name the files in it")
    if name == "-" and sys.stdin is None:
        raise output.OutputError("stdin: is closed: name a file to read")
    with open(name, "rb") if name != "-" else contextlib.nullcontext(sys.stdin.buffer) as file:
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
        with output.standard_output(binary, place.force, name) as out:
            yield out
        return
    like = None if name == "-" else os.fstat(source.fileno())
    before = place.made.setdefault(os.path.realpath(target), name)
    if before != name:  # -f replaces what was there before this command, not what it has made
        raise output.OutputError(f"{name}: would become {target}, as {before} did: do it by itself, with -o")
    output.check(target, name, place.force)
    with output.create(target, place.force, like, sync=place.remove) as out:
        yield out
    signals.check()
    if place.remove and name not in place.spared and like and stat.S_ISREG(like.st_mode):
        now = os.stat(name)
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (like.st_size, like.st_mtime_ns, like.st_ino):
            raise output.OutputError(f"{name}: changed while it was read, so it is kept: look at it, and try again")
        os.unlink(name)


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
                import traceback

                traceback.print_exc()
            note(f"tokpress: {describe(error, shown(name))}")
    if failed:
        ctx.exit(1)
