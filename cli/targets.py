"""Where the outputs of a call go. An output never takes the place of an input."""

import os
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

from . import output, streams
from .streams import display_name

#: equal for two names of one file
Key = tuple[Any, ...]


@dataclass(frozen=True)
class TargetSettings:
    """The options -o -c -f -k --rm of a command that writes an output for each input."""

    files: tuple[str, ...]
    output: str | None
    stdout: bool
    force: bool
    keep: bool
    remove: bool

    @property
    def to_stdout(self) -> bool:
        return self.stdout or streams.is_stdout(self.output)

    def check_targets(self) -> None:
        """Raise UsageError where the options contradict each other."""
        if self.stdout and self.output is not None and not streams.is_stdout(self.output):
            raise click.UsageError("-o and -c exclude each other")
        if self.output and not self.to_stdout and len(self.files) > 1:
            raise click.UsageError("-o takes one input: to join several outputs, use -c and redirect it")
        if self.remove:
            self._check_removable()

    def _check_removable(self) -> None:
        if self.keep or self.to_stdout:
            raise click.UsageError(f"--rm and {'-k' if self.keep else '-c'} exclude each other")
        if self.output and (kind := streams.kind(self.output)):
            raise click.UsageError(f"--rm needs an output file on disk, and {self.output} is {kind}")
        for name in self.files:
            kind = "a stream" if name == "-" else streams.kind(name)
            if kind in ("a stream", "a remote file"):
                raise click.UsageError(f"--rm deletes files, and {display_name(name)} is {kind}: leave --rm out")


class Targets:
    """The targets of one call, compared with all files that the call reads."""

    def __init__(self, settings: TargetSettings) -> None:
        self.settings = settings
        #: inputs that --rm does not delete after all
        self.kept: set[str] = set()
        #: whether each input has its own target, a file that `plan` knows: then files are coded in parallel
        self.separate = False
        self._read: dict[Key, str] = {}  # key of each file read → its name
        self._written: dict[Key, str] = {}  # key of each file written → its input

    def __reduce__(self) -> tuple[type["Targets"], tuple[TargetSettings]]:
        """In another process: without the plan, whose keys are those of files on this machine."""
        return Targets, (self.settings,)

    def plan(self, files: Iterable[str], name: Callable[[str], str], other_files: Iterable[str] = ()) -> None:
        """Compare all targets with all inputs and other files that are read, before anything is written.

        name: derives a target from an input. Raises OutputError where a target is an input, or two inputs have one target."""
        files, other_files = list(files), list(other_files)
        if self.settings.remove:
            _check_not_needed(files, other_files)
        for path in (*files, *other_files):
            for key in identities(path):
                self._read.setdefault(key, path)
        self.separate = True
        planned: dict[Key, str] = {}
        for source in files:
            try:
                target = self.target(source, name)
            except output.OutputError:  # reported when this input is opened
                continue
            self._plan_target(source, target, planned)

    def _plan_target(self, source: str, target: str | None, planned: dict[Key, str]) -> None:
        if target is None:
            self.separate = False
            self._compare(source, "stdout", file_keys(streams.status(sys.stdout)))
        elif streams.kind(target):  # possibly an open file
            self.separate = False
            self._compare(source, target, identities(target))
        else:
            if os.path.islink(target):  # possibly to the target of another input
                self.separate = False
            if self.settings.force or not os.path.lexists(target):  # an existing file is only replaced with -f
                self._compare(source, target, identities(target))
                _reserve(source, target, planned)

    def _compare(self, source: str, target: str, keys: Iterable[Key]) -> None:
        """Raise OutputError where a target is a file that is read."""
        for key in keys:
            if (other := self._read.get(key)) is None:
                continue
            if target == "stdout":
                raise output.OutputError(f"{other}: is both input and output: redirect stdout to another file")
            if other == source:
                raise output.OutputError(f"{source}: {target} is the input itself: choose another name with -o")
            raise output.OutputError(
                f"{source}: its output {target} would replace {other}, which this command reads too: leave one of them "
                "out, or choose another name with -o"
            )

    def target(self, source: str, name: Callable[[str], str]) -> str | None:
        """Where the output of `source` goes; None is stdout.

        Raises OutputError where the derived name is not that of a file."""
        if self.settings.to_stdout or (source == "-" and not self.settings.output):
            return None
        if self.settings.output:
            return self.settings.output
        if streams.kind(source) not in ("", "a named pipe", "a remote file"):
            raise output.OutputError(
                f"{source}: is not a file, so its output has no default name: name one with -o, or use -c"
            )
        target = name(source)
        if (kind := streams.kind(target)) not in ("", "a remote file"):
            raise output.OutputError(f"{target}: is {kind}: name the output with -o, or use -c")
        return target

    def check(self, source: str, target: str) -> None:
        """Raise OutputError where a target, perhaps known only now, is an input or was written by this call."""
        self._compare(source, target, identities(target))
        for key in identities(target):
            if key in self._written:
                raise output.OutputError(
                    f"{source}: its output would replace {target}, the output of {self._written[key]}: run it alone, with -o"
                )
        if self.settings.remove and os.path.islink(source) and not self.settings.force:
            raise output.OutputError(
                f"{source}: is a symbolic link: --rm would delete the link, not the file that it names: add -f to do so"
            )

    def add_written(self, source: str, status: os.stat_result) -> None:
        """Record the output of `source`, which has its name now."""
        self._written |= dict.fromkeys(file_keys(status), source)

    def forget(self, status: os.stat_result) -> None:
        """Drop a deleted input: another file may get its inode."""
        for key in file_keys(status):
            self._read.pop(key, None)


def _check_not_needed(files: Iterable[str], other_files: Iterable[str]) -> None:
    """Raise OutputError where an input is needed to restore its output."""
    needed = {key for path in other_files for key in identities(path)}
    for path in files:
        if needed.intersection(identities(path)):
            raise output.OutputError(f"{path}: is needed to restore its own output: leave --rm out")


def _reserve(source: str, target: str, planned: dict[Key, str]) -> None:
    """Raise OutputError where another input has the same target."""
    key = entry_key(target)
    if key in planned:
        first = f"{planned[key]} and {source}" if planned[key] != source else f"{source}, given twice,"
        raise output.OutputError(f"{first} would both become {target}: run each alone, with -o")
    planned[key] = source


def auxiliary_files(models: Iterable[str], *named: str | None) -> list[str]:
    """Files that a call reads beside its inputs: in model directories, imported modules, and those that options name."""
    paths = [name for name in named if name]
    for model in filter(os.path.isdir, models):
        paths += [os.path.join(model, name) for name in os.listdir(model)]
    imports = click.get_current_context().meta.get("tokpress.imports", ())
    return paths + [name for name in imports if os.path.isfile(name)]


def check_not_read(target: str, read: Iterable[str]) -> None:
    """Raise OutputError where a target is one of the files that are read."""
    keys = set(identities(target))
    for path in read:
        if keys.intersection(identities(path)):
            raise output.OutputError(f"{target}: this command reads it too: choose another name with -o")


def identities(name: str) -> list[Key]:
    """Keys of a name: two names of one file share one. They are the file, if it exists, and its folder with its base name."""
    if name == "-":
        return file_keys(streams.status(sys.stdin))
    try:
        status = os.stat(name)
    except OSError:
        return [entry_key(name)]
    return [entry_key(name), *([] if stat.S_ISCHR(status.st_mode) else file_keys(status))]


def file_keys(status: os.stat_result | None) -> list[Key]:
    return [identity(status)] if status else []


def identity(status: os.stat_result) -> Key:
    """Device and inode."""
    return status.st_dev, status.st_ino


def entry_key(name: str) -> Key:
    folder, base = os.path.split(name)
    try:
        return os.path.realpath(folder), base
    except FileNotFoundError:  # the working directory was removed
        return folder, base
