"""Where the results of a call go: what its options say, and that no output takes the place of an input."""

import os
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import click

from . import output, streams
from .options import shown

#: what two names of one file have in common
Key = tuple[Any, ...]


@dataclass
class Place:
    """What -o -c -f -k --rm said, and which files a call reads and has made."""

    output: str | None
    stdout: bool
    force: bool
    keep: bool
    remove: bool
    quiet: bool
    spared: set[str] = field(default_factory=set)  # inputs that --rm must leave alone after all
    read: dict[Key, str] = field(default_factory=dict)  # key of each file read → its name
    made: dict[Key, str] = field(default_factory=dict)  # key of each file written → its input
    apart: bool = (
        False  # whether each input has a target of its own, a file that `plan` knows: jobs may run side by side
    )

    def check(self, files: list[str]) -> None:
        """Raise UsageError where the options contradict each other."""
        self.stdout = self.stdout or streams.is_stdout(self.output)
        if self.stdout and self.output is not None and not streams.is_stdout(self.output):
            raise click.UsageError("-o and -c exclude each other")
        if self.output and not self.stdout and len(files) > 1:
            raise click.UsageError("-o takes one input; for several into one, use -c and redirect it")
        if self.remove and (self.keep or self.stdout):
            raise click.UsageError(f"--rm and {'-k' if self.keep else '-c'} exclude each other")
        if self.remove and self.output and (kind := streams.kind(self.output)):
            raise click.UsageError(f"--rm deletes an input when its output is a file on disk; {self.output} is {kind}")
        for name in files:
            if self.remove and (name == "-" or streams.descriptor(name) is not None):
                raise click.UsageError(f"--rm deletes files, and {shown(name)} is none")

    def plan(self, files: list[str], name: Callable[[str], str], also: Iterable[str] = ()) -> None:
        """Compare all targets with all inputs, and with what else is read, before anything is written.

        Raises OutputError where a target is an input, or two inputs have one target."""
        also = list(also)
        beside = {key for path in also for key in identities(path)}
        for path in files if self.remove else ():
            if beside.intersection(identities(path)):
                raise output.OutputError(f"{path}: is needed to restore it, so it cannot be deleted: leave --rm out")
        for path in (*files, *also):
            for key in identities(path):
                self.read.setdefault(key, path)
        targets: dict[Key, str] = {}
        self.apart = True
        for source in files:
            try:
                target = self.target(source, name)
            except output.OutputError:  # told when its turn comes
                continue
            if target is None:
                self.apart = False
                self._compare(source, "stdout", file_keys(streams.status(sys.stdout)))
                continue
            if streams.kind(target):  # an open file, perhaps
                self.apart = False
                self._compare(source, target, identities(target))
                continue
            self.apart = self.apart and not os.path.islink(target)  # to another job's target, perhaps
            if os.path.lexists(target) and not self.force:  # it will not be replaced, so it cannot destroy an input
                continue
            self._compare(source, target, identities(target))
            entry = entry_key(target)
            if entry in targets:
                first = f"{targets[entry]} and {source}" if targets[entry] != source else f"{source}, given twice,"
                raise output.OutputError(f"{first} would both become {target}: do one by itself, with -o")
            targets[entry] = source

    def _compare(self, source: str, target: str, found: Iterable[Key]) -> None:
        for key in found:
            if (other := self.read.get(key)) is None:
                continue
            if target == "stdout":
                raise output.OutputError(f"{other}: is both input and output: send the output elsewhere")
            if other == source:
                raise output.OutputError(f"{source}: {target} is the input itself: choose another name with -o")
            raise output.OutputError(
                f"{source}: its output {target} would replace {other}, which is read too: leave one of them out, or choose "
                "another name with -o"
            )

    def target(self, source: str, name: Callable[[str], str]) -> str | None:
        """Where the result of `source` goes, None for stdout; `name` derives it from the source's.

        Raises OutputError where it would not be a file, unless -o names it."""
        if self.stdout or (source == "-" and not self.output):
            return None
        if self.output:
            return self.output
        if streams.kind(source) not in ("", "a named pipe"):
            raise output.OutputError(f"{source}: is no file that an output is named after: name one with -o, or use -c")
        target = name(source)
        if kind := streams.kind(target):
            raise output.OutputError(f"{target}: is {kind}: name the output with -o, or use -c")
        return target

    def check_target(self, source: str, target: str) -> None:
        """Raise OutputError where a target that is known only now is an input, or was made by this call."""
        self._compare(source, target, identities(target))
        for key in identities(target):
            if key in self.made:
                raise output.OutputError(
                    f"{source}: would become {target}, as {self.made[key]} did: do it by itself, with -o"
                )
        if self.remove and os.path.islink(source) and not self.force:
            raise output.OutputError(
                f"{source}: is a symbolic link, and --rm deletes the link, not the file that it names: insist with -f"
            )


def read_beside(ctx: click.Context, models: Iterable[str], given: str | None = None) -> list[str]:
    """The files that a call reads beside its inputs: of model directories, modules that it imports, and what is given."""
    found = [given] if given else []
    for model in filter(os.path.isdir, models):
        found += [os.path.join(model, name) for name in os.listdir(model)]
    return found + [name for name in ctx.meta.get("tokpress.imports", ()) if os.path.isfile(name)]


def check_not_read(target: str, read: Iterable[str]) -> None:
    """Raise OutputError where a target is one of the files that are read."""
    taken = set(identities(target))
    for path in read:
        if taken.intersection(identities(path)):
            raise output.OutputError(f"{target}: is read by this command too: choose another name with -o")


def identities(name: str) -> list[Key]:
    """What tells whether two names are of one file: the file if there is one, and the folder with the name in it."""
    if name == "-":
        return file_keys(streams.status(sys.stdin))
    try:
        found = os.stat(name)
    except OSError:
        return [entry_key(name)]
    return [entry_key(name), *([] if stat.S_ISCHR(found.st_mode) else file_keys(found))]


def file_keys(found: os.stat_result | None) -> list[Key]:
    return [identity(found)] if found else []


def identity(found: os.stat_result) -> Key:
    """What tells one file from another, whatever their names."""
    return found.st_dev, found.st_ino


def entry_key(name: str) -> Key:
    folder, base = os.path.split(name)
    try:
        return os.path.realpath(folder), base
    except FileNotFoundError:  # the working directory was removed
        return folder, base
