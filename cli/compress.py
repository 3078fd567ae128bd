"""tokpress compress"""

import io
import os
import time
from typing import TYPE_CHECKING, BinaryIO

import click

from . import jobs, options
from .progress import Progress, note, rates, speed

if TYPE_CHECKING:
    from tokpress.model import Model

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
@click.option("--fast", "effort", flag_value="fast", help="Only what codes fast, about as zpaq -m5 does.")
@click.option(
    "--best", "effort", flag_value="best", help="Also try text-large: fewer bytes of text, a fourth of the speed."
)
@click.option("--lossy", is_flag=True, help="Store what the lossy tokenizer of the model -m leaves of the pixels.")
@click.option(
    "--content", is_flag=True,
    help="Store what a PNG, FLAC … file shows, its pixels or samples, as a PPM, TIFF or WAV file of them.",
)  # fmt: skip
@click.pass_context
def compress(
    ctx, files, output, stdout, force, keep, remove, model, given, lanes, kernel, frame_size, effort, lossy, content,
    quiet, verbose,
):  # fmt: skip
    """Compress each FILE to FILE.tokp, or stdin to stdout.

    Without -m, each frame is coded by the best of the shipped models, lzma, or not at all. What comes back is the file, byte
    for byte, unless --lossy or --content says otherwise.
    """
    names = options.sources(files)
    place = jobs.Place(output, stdout, force, keep, remove, quiet)
    place.check(names)
    from tokpress import pipeline, store

    if effort and model:
        raise click.UsageError(f"--{effort} chooses among the shipped models; it does not go with -m")
    models = options.bound([store.load(model)] if model else [], given) or None
    total, begin = pipeline.Summary(), time.monotonic()

    def work(name: str) -> None:
        if name.endswith(SUFFIX) and not force:
            return note(f"tokpress: {name}: ends in {SUFFIX} already, skipped: compress it again with -f", quiet)
        with jobs.reading(name) as source:
            length = None if name == "-" else os.fstat(source.fileno()).st_size
            taken, suffix, lacks = (source, "", "") if not (content or lossy) else _shown(source, content, models)
            with Progress(options.shown(name), length if taken is source else None, quiet) as progress:
                settings = pipeline.Options(
                    models, lanes, frame_size, kernel, progress.report, lossy, effort or "default"
                )
                target = place.target(
                    name, lambda path: (os.path.splitext(path)[0] if suffix else path) + suffix + SUFFIX
                )
                with jobs.writing(place, source, name, target, binary=True) as out:
                    summary = pipeline.compress_stream(taken, out, settings)
        total.frames += summary.frames
        line = _line(options.shown(name), summary, progress.seconds)
        of = "" if length is None else f", of a file of {length:,} bytes"
        note(line + (f"; stored as {suffix[1:]}{of}{lacks}" if suffix else ""), quiet)
        for number, frame in enumerate(summary.frames if verbose and not quiet else [], 1):
            note(f"  frame {number}: {frame.source_bytes:,} → {frame.payload_bytes:,} bytes, {frame.stored}")

    try:
        jobs.each(ctx, names, work)
    finally:
        if len(names) > 1 and total.frames:
            note(_line(f"{len(names)} files", total, time.monotonic() - begin), quiet)


def _shown(source: BinaryIO, content: bool, models: "list[Model] | None") -> tuple[BinaryIO, str, str]:
    """What of the input is stored, the suffix of such a file, "" where it is the file itself, and what is left out of it."""
    from tokpress import media

    data = source.read()
    channels, sound = 0, False
    if not content and models:
        tokenizer = models[0].tokenizer
        if tokenizer.video:  # whole items, raw
            return io.BytesIO(data), "", ""
        channels, sound = tokenizer.channels, tokenizer.sound
    if not content and not media.recognised(data):  # raw samples
        return io.BytesIO(data), "", ""
    made, suffix, lacks = media.shown(data, channels, sound)
    if made is data or made == data:
        return io.BytesIO(made), "", ""
    return io.BytesIO(made), suffix, f"; left out: {', '.join(lacks)}" if lacks else ""


def _line(name: str, summary, seconds: float) -> str:
    done, stored = summary.source_bytes, list(dict.fromkeys(frame.stored for frame in summary.frames))
    return (
        f"{name}: {done:,} → {summary.file_bytes:,} bytes, {rates(done, summary.file_bytes)}, {speed(done, seconds)}, "
        f"model{'s' * (len(stored) > 1)} {', '.join(stored)}"
        + (f", {summary.distortion}" if summary.distortion else "")
    )
