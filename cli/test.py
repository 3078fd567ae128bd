"""tokpress test"""

from typing import BinaryIO, cast

import click

from . import jobs, options, streams
from .decompress import restores_much, total
from .progress import Progress, speed
from .terminal import note, say


@click.command()
@options.all_of(
    options.files, options.models, options.given, options.kernel, options.threads, options.quiet, options.verbose,
)  # fmt: skip
@click.pass_context
def test(ctx, files, models, given, kernel, quiet, verbose):
    """Decode each FILE.tokp, or stdin, and write nothing: is all of it intact?"""
    names = options.sources(files)
    from tokpress.codec import stream
    from tokpress.models import store

    loaded = options.bound([store.load(name) for name in models], given)

    def work(name: str) -> None:
        shown = options.shown(name)
        with jobs.reading(name) as source, Progress(shown, total(source), quiet) as progress:
            done = stream.decompress_stream(
                source, cast(BinaryIO, streams.Nowhere()), loaded, kernel, False, progress.report
            )
        if not quiet:
            say(
                f"{shown}: OK, {done.source_bytes:,} bytes in {len(done.frames):,} frame{'s' * (len(done.frames) != 1)}"
            )
        if verbose:
            note(f"{shown}: {speed(done.source_bytes, progress.seconds)}", quiet)

    jobs.each(ctx, names, work, large=restores_much if jobs.are_files(names) else None)
