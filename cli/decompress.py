"""tokpress decompress"""

import os
from typing import TYPE_CHECKING, BinaryIO

import click

from . import jobs, options
from .compress import SUFFIX
from .output import OutputError
from .place import read_beside
from .progress import Progress, speed
from .terminal import note

if TYPE_CHECKING:
    from tokpress.container.frames import Damaged


@click.command()
@options.all_of(
    options.files, options.output, options.stdout, options.force_restore, options.keep, options.remove_compressed, options.models,
    options.given, options.kernel, options.threads, options.quiet, options.verbose,
)  # fmt: skip
@click.option("--keep-going", is_flag=True, help="Restore what is intact past damage; exit 1 all the same.")
@click.pass_context
def decompress(ctx, files, output, stdout, force, keep, remove, models, given, kernel, keep_going, quiet, verbose):
    """Restore the source of each FILE.tokp to FILE, or of stdin to stdout."""
    names = options.sources(files)
    place = jobs.Place(output, stdout, force, keep, remove, quiet)
    place.check(names)
    place.plan(names, _without_suffix, read_beside(ctx, models, given))
    from tokpress.codec import stream
    from tokpress.codec.archive import MAGIC
    from tokpress.errors import FormatError
    from tokpress.models import store

    loaded = options.bound([store.load(name) for name in models], given)

    def work(name: str) -> None:
        shown, target = options.shown(name), place.target(name, _without_suffix)
        with (
            jobs.reading(name, seekable=keep_going) as source,
            Progress(shown, total(source), quiet) as progress,
            jobs.writing(place, source, name, target, binary=False) as out,
        ):
            if keep_going:
                done, holes = _salvage(source, out, loaded, kernel, progress)
            else:
                done, holes = stream.decompress_stream(source, out, loaded, kernel, False, progress.report), []
            if holes:
                place.spared.add(name)
            if holes and not done.frames:
                raise FormatError(holes[0])
        for hole in holes:
            note(f"tokpress: {shown}: {hole}")
        sizes = f"{done.file_bytes:,} → {done.source_bytes:,} bytes"
        note(f"{shown}: {sizes}, {speed(done.source_bytes, progress.seconds)}", quiet)
        if target and os.path.isfile(target):
            with open(target, "rb") as made:
                if made.read(len(MAGIC)) == MAGIC:
                    note(
                        f"{shown}: an archive, {target} is its files one behind the other; tokpress unpack takes them out",
                        quiet,
                    )
        if holes:
            place_of = target or "stdout"
            raise FormatError(
                f"damaged: what could be restored is in {place_of}; what is missing or unverified is told above"
            )

    jobs.each(ctx, names, work, large=restores_much if place.apart and jobs.are_files(names) else None)


def _without_suffix(name: str) -> str:
    if os.path.basename(name) == SUFFIX:
        raise OutputError(f"{name}: nothing is left of this name without {SUFFIX}: name the output with -o, or use -c")
    if not name.endswith(SUFFIX):
        raise OutputError(f"{name}: does not end in {SUFFIX}: name the output with -o, or use -c")
    return name.removesuffix(SUFFIX)


def restores_much(name: str) -> bool:
    """Whether a file is one of several frames, which all threads decode, by the header of its first."""
    from tokpress.codec.options import FRAME_SIZE
    from tokpress.container.frames import read_header
    from tokpress.errors import FormatError

    try:
        with open(name, "rb") as file:
            header = read_header(file, 0)
    except (OSError, FormatError):  # told when its turn comes
        return False
    return header is not None and (not header.last or header.source_length > FRAME_SIZE)


def total(source: BinaryIO) -> int | None:
    """Bytes that a file promises to restore, by its headers; None for a pipe, or at the first sign of damage."""
    if not source.seekable():
        return None
    start = source.tell()
    try:
        return missing(source, start, source.seek(0, os.SEEK_END))
    except OSError:  # a file that cannot seek after all
        return None
    finally:
        source.seek(start)


def _salvage(source: BinaryIO, out: BinaryIO, models: list, kernel: str, progress: Progress):
    """Write what is intact; returns the summary and a sentence about each hole."""
    from tokpress.codec.stream import decompress_stream

    summary = decompress_stream(source, out, models, kernel, True, progress.report)
    holes = [(hole, missing(source, hole.offset, hole.offset + hole.length)) for hole in summary.damaged]
    sequences = [frame.sequence for frame in summary.frames]
    total = summary.frames[-1].total_length if summary.frames else None  # of the only member, as its last frame has it
    if total and sequences == sorted(set(sequences)) and [count for _, count in holes] == [None]:
        holes = [(holes[0][0], total - summary.source_bytes)]
    return summary, [
        f"{hole.reason}; " + (f"{hole.length:,} bytes passed over, " if hole.length else "") + _lost(hole, count)
        for hole, count in holes
    ]


def _lost(hole: "Damaged", count: int | None) -> str:
    if hole.unverified:
        return f"what is restored around byte {hole.offset:,} is unverified as one source"
    return f"{count:,} bytes of the source are missing" if count is not None else "unknown how much source is missing"


def missing(source: BinaryIO, start: int, end: int) -> int | None:
    """Bytes that the frames from `start` to `end` would restore, if their headers still fill it exactly, or the file
    ends within the last one."""
    from tokpress.container.frames import read_header
    from tokpress.errors import FormatError

    at, count = start, 0
    try:
        while at < end:
            source.seek(at)
            if (header := read_header(source, at)) is None:
                return None
            at += len(header.pack()) + header.payload_length
            count += header.source_length
    except FormatError:
        return None
    return count if start < end and (at == end or source.seek(0, os.SEEK_END) == end) else None
