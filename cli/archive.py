"""tokpress pack, tokpress unpack"""

import os
import stat
import time
from pathlib import Path

import click

from . import jobs, options
from . import output as targets
from .progress import Progress, note, rates, size, speed


def _found(names: tuple[str, ...]) -> list[tuple[str, Path]]:
    """(the item's name, the file) for files and for everything below folders, sorted; names are as they were given."""
    found: list[tuple[str, Path]] = []
    for given in names:
        path = Path(given)
        if not path.is_dir():
            found.append((path.name, path))
            continue
        below = sorted(p for p in path.rglob("*") if not p.is_dir())
        found += [(str(Path(path.resolve().name, p.relative_to(path)).as_posix()), p) for p in below]
    return found


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.Name(), metavar="FILE|DIR...")
@click.option("-o", "--output", required=True, metavar="ARCHIVE", help="The .tokp file to write.")
@click.option(
    "--content", is_flag=True, help="Store what PNG, FLAC … files show, as PPM, TIFF or WAV; others as they are."
)
@click.option(
    "--group-size", type=options.Size(), default="1M", show_default=True, metavar="SIZE",
    help="How much shares a stream, and has to be decoded for one file.",
)  # fmt: skip
@options.all_of(options.force, options.model, options.kernel, options.threads, options.quiet, options.verbose)
@click.pass_context
def pack(ctx, files, output, content, group_size, force, model, kernel, quiet, verbose):
    """Put FILES, and everything below DIRs, into one ARCHIVE, where files of one kind help each other.

    Small files gain the most. `tokpress unpack` gives all of them back, or some. Times, owners and links are not kept.
    """
    from tokpress import archive, media, pipeline, store
    from tokpress.errors import TokpressError

    found = _found(files)
    for _, path in found:
        if not path.exists() or not stat.S_ISREG(path.stat().st_mode):
            raise TokpressError(f"{path}: is no file" if path.exists() else f"{path}: No such file or directory")
    chosen, begin, taken = pipeline.Options([store.load(model)] if model else None, kernel=kernel), time.monotonic(), 0
    lost: list[list[str]] = []
    if output in jobs.STDOUT:
        raise click.UsageError("an archive is written to a file")
    targets.check(output, "-", force)

    def items():
        nonlocal taken
        for name, path in found:
            data = path.read_bytes()
            taken += len(data)
            if content and media.recognised(data):
                try:
                    data, suffix, left_out = media.shown(data)
                    lost.append(left_out)
                    name = os.path.splitext(name)[0] + suffix if suffix else name
                except TokpressError as error:
                    note(f"tokpress: {path}: {error}; it is packed as it is", quiet)
            yield name, data

    with Progress(output, None, quiet) as progress, targets.create(output, force) as out:
        summary = archive.write(items(), out, chosen, group_size, progress.report)
    told = f"{taken:,} → {summary.file_bytes:,} bytes, {rates(taken, summary.file_bytes)}"
    if any(lost):
        what = ", ".join(sorted({each for some in lost for each in some}))
        note(f"{output}: left out of {sum(map(bool, lost)):,} files: {what}", quiet)
    note(f"{output}: {len(found):,} files, {told}, {speed(taken, time.monotonic() - begin)}", quiet)


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
                click.echo(f"{held.items[name].size:>12,}  {name}")
            return
        folder = Path(output)
        into = {name: folder / name for name in chosen}
        for target in into.values() if not force else ():
            if os.path.lexists(target):
                raise targets.OutputError(
                    f"{target}: exists already: choose another folder with -o, or replace it with -f"
                )
        failed: list[str] = []
        for name, target in into.items():
            if not target.parent.resolve().is_relative_to(folder.resolve()):
                raise targets.OutputError(f"{target}: a link would lead out of {folder}")
            try:
                data = held.read(name)
            except FormatError as error:  # the others may be whole
                note(f"tokpress: {archive}: {name}: {str(error).removesuffix(': ' + ADVICE)}")
                failed.append(name)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with targets.create(str(target), force) as out:
                out.write(data)
    done = [name for name in chosen if name not in failed]
    note(f"{archive}: {len(done):,} files, {size(sum(held.items[name].size for name in done))}", quiet)
    if failed:
        note(f"tokpress: {archive}: {len(failed):,} files are damaged and were not written: get an undamaged copy")
        ctx.exit(1)
