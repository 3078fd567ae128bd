"""-r: the files in the folders that a call names."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import click

from .output import PREFIX
from .terminal import note


def expanded(values: dict[str, Any], wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The options of a call. With `recursive`, each folder among `files` gives way to the wanted files in it and below. Ends the call
    where there are none. Raises OSError where a folder cannot be read."""
    if not values.pop("recursive"):
        return values
    files = [file for name in values["files"] for file in _below(name, wanted)]
    if not files:
        note(f"tokpress: no files to {click.get_current_context().info_name} in {', '.join(values['files'])}")
        click.get_current_context().exit()
    return values | {"files": tuple(files)}


def _below(name: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The name of a file; of a folder, the regular files in it and below, sorted. Links in folders are left out, and
    so are files that another process has not finished, or left behind when it was killed."""
    if not os.path.isdir(name):
        yield name
        return
    with os.scandir(name) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, wanted)
            elif entry.is_file(follow_symlinks=False) and wanted(entry.name) and not entry.name.startswith(PREFIX):
                yield entry.path
