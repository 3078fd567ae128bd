"""tokpress compress: plan the targets, code each file, report. Files are coded in parallel where `jobs` allows it."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from . import catalog, folders, jobs, options, output, streams, verify
from .progress import Overall, Progress, rates, speed
from .streams import display_name
from .targets import Targets, TargetSettings, auxiliary_files
from .terminal import note

if TYPE_CHECKING:
    from tokpress.codec.efforts import Effort
    from tokpress.codec.options import Options
    from tokpress.codec.stream import Summary

SUFFIX, INDEX_SUFFIX = ".tokp", ".idx"
#: first bytes of compressed files that --content decodes → their name
CODED = {b"\x89PNG": "PNG", b"fLaC": "FLAC"}
#: levels below the first are as --fast, from the second on as --best
FIRST_DEFAULT, FIRST_BEST = 4, 16


def is_compressed(name: str) -> bool:
    """Whether it is the name of a .tokp file."""
    return name.endswith(SUFFIX)


@dataclass(frozen=True)
class Settings(TargetSettings):
    """The options of one call."""

    fast: bool
    best: bool
    level: int | None
    model: str | None
    context: str | None
    given: str | None
    embed: bool
    lossy: bool
    content: bool
    index: bool
    lanes: int | None
    frame_size: int
    kernel: str
    ray: str | None
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.lossy and self.content:
            raise click.UsageError("--lossy and --content exclude each other")
        if self.context and (self.converts or (self.lanes or 1) != 1):
            raise click.UsageError("--context needs one lane and whole files: leave --lanes, --lossy and --content out")
        if self.lossy and self.effort != "default":
            raise click.UsageError(
                f"--{self.effort} chooses among lossless models: leave out --lossy or --{self.effort}"
            )
        if self.fast + self.best + (self.level is not None) > 1:
            raise click.UsageError("--fast, --best and a level exclude each other")
        if self.effort != "default" and self.model:
            raise click.UsageError(f"--{self.effort} chooses among the shipped models: leave out -m or --{self.effort}")
        self.check_targets()
        if self.ray is not None and (self.converts or self.output or self.stdout):
            raise click.UsageError("--ray writes FILE.tokp beside each FILE: leave out -o, -c, --content and --lossy")
        if self.index and (self.to_stdout or ("-" in self.files and not self.output)):
            raise click.UsageError("--index needs an output with a name: leave out -c, or name one with -o")

    @property
    def effort(self) -> "Effort":
        if self.level is not None:
            return "fast" if self.level < FIRST_DEFAULT else "best" if self.level >= FIRST_BEST else "default"
        return "fast" if self.fast else "best" if self.best else "default"

    @property
    def models(self) -> list[str]:
        """The model that was named, or the shipped one of --lossy; else none."""
        if self.model or not self.lossy:
            return [self.model] if self.model else []
        from tokpress.codec.options import LOSSY

        return [LOSSY]

    @property
    def converts(self) -> bool:
        """Whether files are decoded to pixels or samples first, which decides their suffix."""
        return self.lossy or self.content


class Source(NamedTuple):
    """One opened input."""

    name: str
    #: None where the input is not a file
    status: os.stat_result | None
    #: bytes to compress, None where unknown
    size: int | None
    #: ".ppm", ".wav", … if these are decoded pixels or samples; else empty
    suffix: str = ""
    #: metadata that is not stored
    left_out: Sequence[str] = ()


class Result(NamedTuple):
    source: Source
    summary: "Summary"
    seconds: float
    #: when coding began, after start-up
    began: float
    #: "PNG" or "FLAC" where the bytes of such a file were compressed
    coded_as: str = ""


class WithLevels(options.Command):
    """Takes -1 … -19 for --level 1 … 19, but not where an option before it takes a value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        valued = [each for each in self.params if isinstance(each, click.Option) and not each.is_flag]
        names = {name for each in valued for name in each.opts}
        levels: list[str] = []
        for before, word in zip(["", *args], args[:end]):
            short = f"-{before[-1]}" if re.fullmatch(r"-[A-Za-z]+", before) else before  # the last of several letters
            is_level = re.fullmatch(r"-\d{1,2}", word) and not {before, short} & names
            levels.append(f"--level={word[1:]}" if is_level else word)
        return super().parse_args(ctx, levels + args[end:])


@click.command(cls=WithLevels)
@options.all_of(
    options.files, options.output(default="FILE.tokp"), options.stdout,
    options.force("Overwrite files; compress .tokp files again."),
    options.recursive, options.keep, options.remove,
    click.option("--fast", is_flag=True, help="Leave out the text model; faster."),
    click.option("--best", is_flag=True, help="Add a larger text model; 5 to 10 times slower."),
    options.model(show_default="best shipped one"), options.context, options.quiet, options.verbose,
)  # fmt: skip
@options.all_of(
    click.option("--content", cls=options.Advanced, is_flag=True, help="Store pictures and sound as PPM, TGA, TIFF or WAV."),
    click.option("--lossy", cls=options.Advanced, is_flag=True, help="Store only tokens, by photo-tokens or -m."),
    click.option("--index", cls=options.Advanced, is_flag=True, help="Write FILE.tokp.idx too, for reading parts of a file."),
    click.option("--level", cls=options.Advanced, type=options.Whole(1, 19), metavar="N",
                 help="Also -1 to -19: below 4 as --fast, from 16 as --best."),
    options.given, options.embed, options.plugins, options.threads, options.lanes,
    click.option("--frame-size", cls=options.Advanced, type=options.Size(), default="16M", show_default=True, metavar="SIZE",
                 help="Bytes in a frame, up to 64M."),
    options.kernel, options.ray,
)  # fmt: skip
def compress(**values: Any) -> None:
    """Compress each FILE to FILE.tokp, or stdin to stdout.

    Each part of a file is stored by the model that makes it smallest, by lzma, or raw. `tokpress decompress` restores the file
    byte for byte; with --content it restores another file with the same pixels or samples, with --lossy an approximation.
    `tokpress compress -d`, as in zstd, is `tokpress decompress`.

    \b
    Examples:
      tokpress compress book.txt                    writes book.txt.tokp
      tokpress compress -r notes                    each file in a folder
      tar c notes | tokpress compress > notes.tokp  compresses a stream
    """
    settings = Settings(**folders.expanded(values, _is_source))
    files = _without_compressed(settings)
    targets = Targets(settings)
    targets.plan(files, _suffixed, auxiliary_files(settings.models, settings.given, settings.context))
    codec_options = _codec_options(settings)
    report = Report(settings)
    has_overall = settings.ray is None and len(files) > 1 and jobs.are_files(files)
    overall = Overall(len(files), sum(map(jobs.size_of, files))) if has_overall else None
    large = partial(_is_large, settings.frame_size) if _in_parallel(settings, targets, files) else None
    job = partial(_compress_file, settings, targets, codec_options, overall)
    try:
        jobs.run(files, job, report.add, large, jobs.Ray(settings.ray, _suffixed, settings.force, settings.quiet))
    finally:
        report.end()


# --- plan


def _suffixed(name: str) -> str:
    return name + SUFFIX


def _is_source(name: str) -> bool:
    """Whether -r compresses a file of this name: neither a compressed file nor the index of one."""
    return not is_compressed(name.removesuffix(INDEX_SUFFIX))


def _without_compressed(settings: Settings) -> list[str]:
    """The inputs to compress: without -f, inputs that are compressed already are left out, with a message."""
    files = []
    for name in settings.files:
        if settings.force or not is_compressed(name):
            files.append(name)
        else:
            note(f"tokpress: {name}: ends in {SUFFIX} already, skipped: compress it again with -f", settings.quiet)
    return files


def _in_parallel(settings: Settings, targets: Targets, files: list[str]) -> bool:
    """Whether inputs may be coded in parallel. Not with --content or --lossy: the target is known only when the input is open."""
    return targets.separate and not settings.converts and jobs.are_files(files)


def _codec_options(settings: Settings) -> "Options":
    from tokpress.codec.options import Options

    models = catalog.load(settings.models, settings.given)
    return Options(
        models or None,
        settings.lanes,
        settings.frame_size,
        settings.kernel,
        lossy=settings.lossy,
        effort=settings.effort,
        embed=settings.embed,
        whole=not settings.index,
        context=catalog.context(settings.context, settings.files),
    )


def _is_large(frame_size: int, name: str) -> bool:
    return jobs.size_of(name) > frame_size


# --- code one file


def _compress_file(
    settings: Settings, targets: Targets, codec_options: "Options", overall: Overall | None, name: str
) -> Result:
    with jobs.reading(name, seekable=settings.converts) as file:
        source, stream = _open_source(settings, codec_options, name, file)
        start = stream.tell() if stream.seekable() else 0
        target = targets.target(name, partial(_target_name, source.suffix))
        index = _Index(target, settings.force) if settings.index and target else None
        with jobs.writing(targets, file, name, target, binary=True) as out:
            result = _code(settings, codec_options, source, stream, out, overall)
            if index:
                index.read(out)
            jobs.check_unchanged(name, file, source.status)
            if settings.remove and source.status:
                _verify(settings, codec_options, source, stream, start, out)
        coded_as = _coded_as(stream, start) if not settings.converts and jobs.are_files([name]) else ""
    if index:
        index.write(source.status)
    return result._replace(coded_as=coded_as)


def _coded_as(stream: BinaryIO, start: int) -> str:
    """PNG or FLAC, whose samples --content would store; else nothing."""
    stream.seek(start)
    return CODED.get(stream.read(4), "")


class _Index:
    """The index of one output, which is written when that has its name."""

    def __init__(self, target: str, force: bool) -> None:
        self._name, self._force = target + INDEX_SUFFIX, force
        kind = streams.kind(target)
        if kind not in ("", "a remote file"):
            raise output.OutputError(f"{target}: is {kind}, which has no index: leave --index out")
        if not kind:
            output.check(self._name, "-", force)

    def read(self, out: BinaryIO) -> None:
        from tokpress.container.index import iter_headers, pack_index

        out.flush()
        self._data = pack_index(iter_headers(out))

    def write(self, status: os.stat_result | None) -> None:
        if streams.kind(self._name):
            destination = streams.writing(self._name, True, self._force)
        else:
            destination = output.create(self._name, self._force, status)
        with destination as file:
            file.write(self._data)


def _open_source(settings: Settings, codec_options: "Options", name: str, file: BinaryIO) -> tuple[Source, BinaryIO]:
    """The input, and the bytes to compress."""
    status = streams.status(file)
    size = None if name == "-" or not status else status.st_size
    if not settings.converts:
        return Source(name, status, size), file
    from tokpress.media import unwrap
    from tokpress.tokenizers.samples import samples_of

    tokenizer = codec_options.models[0].tokenizer if settings.lossy and codec_options.models else None
    opened = unwrap.opened(file, samples_of(tokenizer) if tokenizer else None)
    return Source(name, status, opened.size or size, opened.suffix, opened.left_out), opened.stream


def _target_name(suffix: str, name: str) -> str:
    """a.png → a.ppm.tokp where the pixels are stored as .ppm."""
    return (os.path.splitext(name)[0] if suffix else name) + suffix + SUFFIX


def _code(
    settings: Settings,
    codec_options: "Options",
    source: Source,
    stream: BinaryIO,
    out: BinaryIO,
    overall: Overall | None,
) -> Result:
    from tokpress.codec.stream import compress_stream

    with Progress(display_name(source.name), source.size, settings.quiet, overall) as progress:
        summary = compress_stream(stream, out, replace(codec_options, report=progress.report))
        return Result(source, summary, progress.seconds, progress.began)


def _verify(
    settings: Settings, codec_options: "Options", source: Source, stream: BinaryIO, start: int, out: BinaryIO
) -> None:
    """Raise OutputError if the output does not restore the source. With --rm, this is called before the source is deleted."""
    expected = None if settings.lossy else stream
    if expected is not None:
        expected.seek(start)
    with Progress(f"{source.name}: verifying", source.size, settings.quiet) as progress:
        verify.check(source.name, out, expected, codec_options, progress)


# --- report


class Report:
    """One line for each file, and one for all of them."""

    def __init__(self, settings: Settings) -> None:
        from tokpress.codec.stream import Summary

        self._settings, self._began = settings, time.monotonic()
        self._total, self._files = Summary(), 0
        self._coded: dict[str, str] = {}  # PNG or FLAC → the first such file

    def add(self, result: Result) -> None:
        settings, source, summary = self._settings, result.source, result.summary
        line = _line(display_name(source.name), summary, result.seconds)
        if source.suffix:
            line += f"; stored as {source.suffix[1:]}"
            if source.status and source.name != "-":
                line += f", of a file of {source.status.st_size:,} bytes"
            if source.left_out:
                line += f"; left out: {', '.join(source.left_out)}"
        note(line, settings.quiet)
        for number, frame in enumerate(summary.frames if settings.verbose else [], 1):
            sizes = f"{frame.source_bytes:,} → {frame.payload_bytes:,} bytes"
            note(f"  frame {number}: {sizes}, {frame.stored}", settings.quiet)
        self._began = result.began if not self._files else min(self._began, result.began)
        if result.coded_as:
            self._coded.setdefault(result.coded_as, display_name(source.name))
        self._total.add(summary)
        self._files += 1

    def end(self) -> None:
        given = len(self._settings.files)
        if given > 1 and self._total.frames:
            files = f"{given} files" if self._files == given else f"{self._files} of {given} files"
            note(_line(files, self._total, time.monotonic() - self._began), self._settings.quiet)
        for kind, name in self._coded.items():
            content = "pixels" if kind == "PNG" else "samples"
            note(
                f"{name}: is a {kind} file, compressed already: --content stores its {content} instead, in fewer bytes as a rule; "
                f"decompress --to {kind.lower()} makes a {kind} file of them again",
                self._settings.quiet,
            )


def _line(name: str, summary: "Summary", seconds: float) -> str:
    models = list(dict.fromkeys(frame.stored for frame in summary.frames))
    sizes = (
        f"{summary.source_bytes:,} → {summary.file_bytes:,} bytes, {rates(summary.source_bytes, summary.file_bytes)}"
    )
    line = (
        f"{name}: {sizes}, {speed(summary.source_bytes, seconds)}, model{'s' * (len(models) > 1)} {', '.join(models)}"
    )
    return f"{line}, {summary.distortion}" if summary.distortion else line
