"""tokpress pack, tokpress unpack"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import click

from . import jobs, options, streams
from . import output as targets
from .main import describe
from .progress import Progress, rates, size, speed
from .terminal import note, say

Found = list[tuple[str, Path]]


def _found(names: tuple[str, ...], failed: Callable[[OSError], None]) -> Found:
    """(the item's name, the file) for files and for everything below folders, sorted; names are as they were given."""
    found: Found = []
    for given in names:
        path = Path(given)
        if not path.is_dir():
            found.append((path.name, path))
            continue
        below = sorted(Path(folder, name) for folder, _, files in os.walk(given, onerror=failed) for name in files)
        found += [(str(Path(path.resolve().name, p.relative_to(path)).as_posix()), p) for p in below]
    return found


def _apart(found: Found) -> set[str]:
    """The names of the items. Raises TokpressError where two files have one: before the work, not after it."""
    from tokpress.errors import TokpressError

    first: dict[str, Path] = {}
    for name, path in found:
        if first.setdefault(name, path) is not path:
            raise TokpressError(
                f"{first[name]} and {path} would both be called {name} in the archive: rename one, or pack a folder that "
                "holds both"
            )
    return set(first)


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.Name(), metavar="FILE|DIR...")
@click.option("-o", "--output", required=True, metavar="ARCHIVE", help="The .tokp file to write.")
@click.option(
    "--content", is_flag=True, help="Store what PNG, FLAC … files show, as PPM, TIFF or WAV; others as they are."
)
@click.option(
    "--group-size", type=options.Size(), default="128K", show_default=True, metavar="SIZE",
    help="How much shares a stream: more takes fewer bytes, but all of it has to be decoded for one file, and is lost "
    "where it is damaged.",
)  # fmt: skip
@options.all_of(options.force, options.model, options.kernel, options.threads, options.quiet, options.verbose)
@click.pass_context
def pack(ctx, files, output, content, group_size, force, model, kernel, quiet, verbose):
    """Put FILES, and everything below DIRs, into one ARCHIVE, where files of one kind help each other.

    Small files gain the most. `tokpress unpack` gives all of them back, or some. Times, owners and links are not kept.
    """
    from tokpress import archive, media, pipeline, store
    from tokpress.errors import TokpressError

    chosen, begin, taken = pipeline.Options([store.load(model)] if model else None, kernel=kernel), time.monotonic(), 0
    if streams.is_stdout(output):
        raise click.UsageError("an archive is written to a file")
    targets.check(output, "-", force)
    unread, packed = 0, 0
    lost: list[list[str]] = []

    def failed(error: Exception, path: object = "") -> None:
        nonlocal unread
        unread += 1
        note(f"tokpress: {describe(error, str(path))}")

    found = _found(files, failed)
    used = _apart(found)

    def items():
        nonlocal taken, packed
        for name, path in found:
            try:
                if not stat.S_ISREG(path.stat().st_mode):
                    raise TokpressError(f"{path}: is no file")
                data = path.read_bytes()
            except (OSError, TokpressError) as error:  # the others go on, as for compress
                failed(error, path)
                continue
            taken, packed = taken + len(data), packed + 1
            if content and media.recognised(data):
                try:
                    shown, suffix, left_out = media.shown(data)
                    called = os.path.splitext(name)[0] + suffix if suffix else name
                    if called != name and called in used:
                        raise TokpressError(f"another file is called {called} already")
                    name, data = called, shown
                    used.add(name)
                    lost.append(left_out)
                except TokpressError as error:
                    note(f"tokpress: {path}: {error}; it is packed as it is", quiet)
            yield name, data
        if found and not packed:
            raise TokpressError(f"{output}: there is nothing to pack: no file could be read")

    with Progress(output, None, quiet) as progress, streams.destination(output, force) as out:
        summary = archive.write(items(), out, chosen, group_size, progress.report)
    told = f"{taken:,} → {summary.file_bytes:,} bytes, {rates(taken, summary.file_bytes)}"
    if any(lost):
        what = ", ".join(sorted({each for some in lost for each in some}))
        note(f"{output}: left out of {sum(map(bool, lost)):,} files: {what}", quiet)
    note(f"{output}: {packed:,} files, {told}, {speed(taken, time.monotonic() - begin)}", quiet)
    if unread:
        note(f"tokpress: {output}: {unread:,} files or folders could not be read, and are not in it")
        ctx.exit(1)


@click.command()
@click.argument("archive", type=options.Name(), metavar="ARCHIVE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-o", "--output", default=".", metavar="DIR", help="The folder to write to.  [default: this one]")
@click.option("-l", "--list", "listing", is_flag=True, help="Tell what is in it, and write nothing.")
@options.all_of(options.force, options.models, options.kernel, options.threads, options.quiet, options.verbose)
@click.pass_context
def unpack(ctx, archive, names, output, listing, force, models, kernel, quiet, verbose):
    """Write the files of an ARCHIVE made by `tokpress pack`: all of them, or those NAMED, without decoding the rest."""
    from tokpress import store
    from tokpress.archive import Archive
    from tokpress.errors import FormatError, TokpressError
    from tokpress.wire import ADVICE

    with jobs.reading(archive, seekable=True) as stream:
        held = Archive(stream, [store.load(name) for name in models], kernel)
        if unknown := [name for name in names if name not in held.items]:
            raise TokpressError(f"{archive}: holds no {unknown[0]}; unpack -l tells what it holds")
        chosen = list(names) or held.names()
        if listing:
            for name in chosen:
                say(f"{held.items[name].size:>12,}  {name}")
            return
        folder = Path(output)
        into = {name: folder / name for name in chosen}
        for target in into.values() if not force else ():
            if os.path.lexists(target):
                raise targets.OutputError(
                    f"{target}: exists already: choose another folder with -o, or replace it with -f"
                )
        failed: dict[int, list[str]] = {}  # by the beginning of their group
        reasons: dict[int, str] = {}
        for name, target in into.items():
            if not target.parent.resolve().is_relative_to(folder.resolve()):
                raise targets.OutputError(f"{target}: a link would lead out of {folder}")
            try:
                data = held.read(name)
            except FormatError as error:  # the others may be whole
                failed.setdefault(group := held.items[name].start, []).append(name)
                reasons.setdefault(group, str(error).removesuffix(f": {ADVICE}"))
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with targets.create(str(target), force) as out:
                out.write(data)
    for group, some in failed.items():
        which = f"{len(some):,} files, from {some[0]} to {some[-1]}, are" if len(some) > 1 else f"{some[0]} is"
        note(f"tokpress: {archive}: {which} lost: {reasons[group]}")
    broken = {name for some in failed.values() for name in some}
    done = [name for name in chosen if name not in broken]
    note(f"{archive}: {len(done):,} files, {size(sum(held.items[name].size for name in done))}", quiet)
    if broken:
        note(f"tokpress: {archive}: {len(broken):,} files are damaged and were not written: get an undamaged copy")
        ctx.exit(1)
