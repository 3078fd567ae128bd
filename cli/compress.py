"""tokpress compress"""

import os
import time

import click

from . import jobs, options, streams, verify
from .place import read_beside
from .progress import Progress, rates, speed
from .terminal import note

SUFFIX = ".tokp"


@click.command()
@options.all_of(
    options.files, options.output, options.stdout, options.force, options.keep, options.remove, options.model,
    options.given, options.lanes, options.kernel, options.threads, options.quiet, options.verbose,
)  # fmt: skip
@click.option(
    "--frame-size", type=options.Size(), default="16M", show_default=True, metavar="SIZE",
    help="Cut the source into pieces that are decoded independently.",
)  # fmt: skip
@click.option("--fast", is_flag=True, help="Only what codes fast, about as zpaq -m5 does.")
@click.option("--best", is_flag=True, help="Also try text-best: fewer bytes of text, a sixteenth of the speed.")
@click.option(
    "--lossy", is_flag=True, help="Store only the tokens of the lossy model -m; decompress gives a reconstruction."
)
@click.option(
    "--content", is_flag=True,
    help="Store what a PNG, FLAC … file shows, its pixels or samples and what it says of them, as a PPM, TIFF or WAV file.",
)  # fmt: skip
@click.pass_context
def compress(
    ctx, files, output, stdout, force, keep, remove, model, given, lanes, kernel, frame_size, fast, best, lossy, content,
    quiet, verbose,
):  # fmt: skip
    """Compress each FILE to FILE.tokp, or stdin to stdout.

    Without -m, each frame is coded by the best of the shipped models, lzma, or not at all. What comes back is the file, byte
    for byte, unless --lossy or --content says otherwise.
    """
    if lossy and content:
        raise click.UsageError("--lossy stores a reconstruction, and --content all there is: give one of them")
    if fast and best:
        raise click.UsageError("--fast and --best exclude each other")
    effort = "fast" if fast else "best" if best else "default"
    if (fast or best) and model:
        raise click.UsageError(f"--{effort} chooses among the shipped models; it does not go with -m")
    names = options.sources(files)
    place = jobs.Place(output, stdout, force, keep, remove, quiet)
    place.check(names)
    for name in (skipped := [] if force else [name for name in names if name.endswith(SUFFIX)]):
        note(f"tokpress: {name}: ends in {SUFFIX} already, skipped: compress it again with -f", quiet)
    chosen = [name for name in names if name not in skipped]
    place.plan(chosen, lambda name: name + SUFFIX, read_beside(ctx, [model] if model else [], given))
    from tokpress.codec.options import Options
    from tokpress.codec.stream import Summary, compress_stream
    from tokpress.models import store

    models = options.bound([store.load(model)] if model else [], given) or None
    total, done, begin = Summary(), 0, time.monotonic()

    def work(name: str) -> Summary:
        settings = Options(models, lanes, frame_size, kernel, lossy=lossy, effort=effort)
        with jobs.reading(name, seekable=content or lossy) as source:
            before, stream, suffix = streams.status(source), source, ""
            length = size = None if name == "-" or not before else before.st_size
            left_out: list[str] = []
            if content or lossy:
                from tokpress.media import unwrap
                from tokpress.tokenizers.samples import samples_of

                stream, size, suffix, left_out = unwrap.opened(
                    source, samples_of(models[0].tokenizer) if models and not content else None
                )
            start = stream.tell() if stream.seekable() else 0
            target = place.target(name, lambda path: (os.path.splitext(path)[0] if suffix else path) + suffix + SUFFIX)
            with (
                Progress(options.shown(name), size or length, quiet) as progress,
                jobs.writing(place, source, name, target, binary=True) as out,
            ):
                settings.report = progress.report
                summary = compress_stream(stream, out, settings)
                seconds = progress.seconds
                jobs.check_unchanged(name, source, before)
                if remove and before:
                    if not lossy:
                        stream.seek(start)
                    with Progress(f"{name}: verifying", size or length, quiet) as verifying:
                        verify.check(name, out, None if lossy else stream, models or [], kernel, verifying)
        line = _line(options.shown(name), summary, seconds)
        of = "" if length is None else f", of a file of {length:,} bytes"
        lacks = f"; left out: {', '.join(left_out)}" if left_out else ""
        note(line + (f"; stored as {suffix[1:]}{of}{lacks}" if suffix else ""), quiet)
        for number, frame in enumerate(summary.frames if verbose and not quiet else [], 1):
            note(f"  frame {number}: {frame.source_bytes:,} → {frame.payload_bytes:,} bytes, {frame.stored}")
        return summary

    def count(summary: Summary) -> None:
        nonlocal done
        total.frames += summary.frames
        done += 1

    # with --content and --lossy a target is known only when its input is open
    apart = place.apart and not (content or lossy) and jobs.are_files(chosen)
    try:
        jobs.each(ctx, chosen, work, count, (lambda name: jobs.size_of(name) > frame_size) if apart else None)
    finally:
        if len(names) > 1 and total.frames:
            which = f"{len(names)}" if done == len(names) else f"{done} of {len(names)}"
            note(_line(f"{which} files", total, time.monotonic() - begin), quiet)


def _line(name: str, summary, seconds: float) -> str:
    done, stored = summary.source_bytes, list(dict.fromkeys(frame.stored for frame in summary.frames))
    return (
        f"{name}: {done:,} → {summary.file_bytes:,} bytes, {rates(done, summary.file_bytes)}, {speed(done, seconds)}, "
        f"model{'s' * (len(stored) > 1)} {', '.join(stored)}"
        + (f", {summary.distortion}" if summary.distortion else "")
    )
