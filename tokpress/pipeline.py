"""Files in, frames out, and back: the choice of model per frame, and streaming in bounded memory.

A source is cut into frames of FRAME_SIZE bytes. Each is coded by the candidate that a trial on part of it
favours, and kept only if that is smaller than lzma at the strength of `xz -9e` and than the bytes
themselves. A seekable source of several frames is also compressed by lzma as a whole, so that choosing
tokpress never costs more than xz even where a match reaches over a frame's edge.
"""

import io
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from . import store
from .container import (
    Damaged,
    FrameHeader,
    Kind,
    LzmaEncoder,
    Payload,
    check_source,
    iter_frames,
    iter_frames_keep_going,
    lzma_encode,
    restore_plain,
    write_frame,
)
from .errors import FormatError
from .model import Model

FRAME_SIZE = 1 << 24
#: frames up to this size are tried whole with every candidate that is in the running, larger ones on a part
TRIAL_SIZE = 1 << 17
#: a model that needs less than this share of lzma's bytes is taken without trying the others
CLEAR_WIN = 0.75
#: sources that lzma shrinks beyond this are stored that way at once: there is nothing left to gain
LZMA_ENOUGH = 200
#: decoded frames up to this size are checked before a byte of them is passed on
HOLD = 1 << 26

DEFAULT_MODELS = ("text", "adaptive")

Report = Callable[[int], None]


@dataclass
class Options:
    """How to compress. `models` None: choose among the shipped ones; a list: only these (and lzma, raw)."""

    models: list[Model] | None = None
    lanes: int | None = None
    frame_size: int = FRAME_SIZE
    kernel: str = "auto"
    report: Report = lambda done: None


@dataclass
class Frame:
    """What became of one frame; `stored` as one of "raw", "lzma" or the model's name."""

    source_bytes: int
    payload_bytes: int
    header_bytes: int
    stored: str


@dataclass
class Summary:
    frames: list[Frame] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)

    @property
    def source_bytes(self) -> int:
        return sum(f.source_bytes for f in self.frames)

    @property
    def payload_bytes(self) -> int:
        return sum(f.payload_bytes for f in self.frames)

    @property
    def header_bytes(self) -> int:
        return sum(f.header_bytes for f in self.frames)

    @property
    def file_bytes(self) -> int:
        return self.payload_bytes + self.header_bytes


@dataclass(frozen=True)
class _Coded:
    kind: Kind
    payload: bytes
    model: Model | None = None
    tokens: int | None = None
    lanes: int | None = None


def _encode(model: Model, source: bytes, options: Options, report: Report) -> _Coded:
    model.kernel = options.kernel
    payload, tokens, lanes = model.encode(source, options.lanes, report)
    default = model.prior.lanes(tokens)
    return _Coded(Kind.MODEL, payload, model, tokens, None if lanes == default else lanes)


def choose_frame(source: bytes, options: Options, report: Report) -> _Coded:
    """The smallest way we know to store one frame."""
    best = _Coded(Kind.RAW, source)
    if not source:
        return best
    packed = lzma_encode(source)
    if len(packed) < len(source):
        best = _Coded(Kind.LZMA, packed)
    if options.models is None and len(packed) * LZMA_ENOUGH < len(source):
        return best
    names = DEFAULT_MODELS if options.models is None else options.models
    whole = len(source) <= TRIAL_SIZE
    middle = (len(source) - TRIAL_SIZE) // 2
    part = source if whole else source[middle : middle + TRIAL_SIZE]
    yardstick = len(packed) if whole else len(lzma_encode(part))
    trials: list[_Coded] = []
    if len(names) == 1 and not whole:
        trials = [_Coded(Kind.MODEL, b"", store.load(names[0]))]
    else:
        for name in names:
            model = store.load(name)  # here, not before: what a clear winner makes needless is never loaded
            if _hopeless(model, part):
                continue
            trials.append(_encode(model, part, options, lambda n: None))
            if len(trials[-1].payload) < CLEAR_WIN * yardstick:
                break
    if not trials:
        return best
    winner = min(trials, key=lambda t: len(t.payload))
    if not whole:  # what was coded is a part of the frame
        if winner.model is None or len(winner.payload) >= len(part):
            return best
        winner = _encode(winner.model, source, options, report)
    # a model frame's header is longer than a plain one's by the model's id and the token count
    return winner if len(winner.payload) + 8 < len(best.payload) else best


def _hopeless(model: Model, part: bytes) -> bool:
    """A vocabulary of byte strings that finds hardly any of them is not worth a trial."""
    if model.tokenizer.vocab_size <= 256:
        return False
    probe = part[: 1 << 15]
    return len(model.tokenizer.encode(probe)) > 0.75 * len(probe)


def write_coded(out: BinaryIO, coded: _Coded, source: bytes, last: bool, number: int, total: int) -> Frame:
    header = FrameHeader(
        kind=coded.kind,
        source_length=len(source),
        payload_length=len(coded.payload),
        source_crc=zlib.crc32(source),
        last=last,
        sequence=number,
        total_length=total if last and number else None,
        model_id=coded.model.id if coded.model else None,
        tokens=coded.tokens,
        lanes=coded.lanes,
    )
    written = write_frame(out, header, coded.payload)
    stored = coded.model.name if coded.model else coded.kind.name.lower()
    return Frame(len(source), len(coded.payload), written - len(coded.payload), stored)


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    pieces, left = [], count
    while left and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _compress_frames(source: BinaryIO, out: BinaryIO, options: Options) -> Summary:
    summary, done = Summary(), 0
    block = _read_exactly(source, options.frame_size)
    while True:
        following = _read_exactly(source, options.frame_size) if len(block) == options.frame_size else b""
        start, scale = done, len(block)

        def report(tokens: int, start: int = start, scale: int = scale) -> None:
            options.report(min(start + tokens, start + scale))

        coded = choose_frame(block, options, report)
        done += len(block)
        summary.frames.append(write_coded(out, coded, block, not following, len(summary.frames), done))
        options.report(done)
        if not following:
            return summary
        block = following


def _lzma_whole(source: BinaryIO, length: int, spool: BinaryIO) -> FrameHeader | None:
    """The whole source as one lzma payload in `spool`, and its header; None if it changed under us."""
    encoder, crc, seen = LzmaEncoder(length), 0, 0
    while piece := source.read(1 << 20):
        crc, seen = zlib.crc32(piece, crc), seen + len(piece)
        if seen > length:
            return None
        spool.write(encoder.compress(piece))
    spool.write(encoder.finish())
    size = spool.tell()
    spool.seek(0)
    return FrameHeader(kind=Kind.LZMA, source_length=seen, payload_length=size, source_crc=crc)


def compress_stream(source: BinaryIO, out: BinaryIO, options: Options | None = None) -> Summary:
    """Compress everything left in `source` to `out`. Memory is bounded by the frame size and lzma's dictionary.

    Where both can seek and the source is longer than a frame, lzma over the whole source competes too."""
    options = options or Options()
    if not (source.seekable() and out.seekable()):
        return _compress_frames(source, out, options)
    start = source.tell()
    length = source.seek(0, io.SEEK_END) - start
    source.seek(start)
    if length <= options.frame_size:
        return _compress_frames(source, out, options)
    with tempfile.TemporaryFile() as spool:
        header = _lzma_whole(source, length, spool)
        source.seek(start)
        begin = out.tell()
        if header is None or options.models is not None or header.payload_length * LZMA_ENOUGH >= length:
            summary = _compress_frames(source, out, options)
            if header is None or summary.file_bytes <= header.payload_length + 32:
                return summary
            out.seek(begin)
            out.truncate()
        written = write_frame(out, header, spool)
        options.report(length)
        return Summary([Frame(length, header.payload_length, written - header.payload_length, "lzma")])


def _restore(header: FrameHeader, payload: bytes, models: list[Model], kernel: str) -> bytes:
    assert header.model_id is not None and header.tokens is not None  # what Kind.MODEL means
    model = store.by_id(header.model_id, models)
    model.kernel = kernel
    lanes = header.lanes or model.prior.lanes(header.tokens)
    source = model.decode(payload, header.tokens, lanes)
    check_source(header, source)
    return source


def restore_frame(header: FrameHeader, payload: Payload, models: list[Model], kernel: str = "auto") -> Iterator[bytes]:
    """The source of one frame in pieces. Up to HOLD bytes come checked and in one; larger lzma frames stream,
    and their check comes at the end. Raises FormatError, ChecksumError, ModelMismatchError."""
    if header.kind == Kind.MODEL:
        yield _restore(header, payload.read(), models, kernel)
    elif header.source_length <= HOLD:
        yield b"".join(restore_plain(header, payload))
    else:
        yield from restore_plain(header, payload)


def restored(
    source: BinaryIO, models: list[Model] | None = None, kernel: str = "auto", keep_going: bool = False
) -> Iterator[tuple[FrameHeader, bytes, bool] | Damaged]:
    """Decoded pieces in order: (header, bytes, whether this ends the frame). With `keep_going`, holes as Damaged.

    What is checked when, says `restore_frame`."""
    models = models or []
    for item in iter_frames_keep_going(source) if keep_going else iter_frames(source):
        if isinstance(item, Damaged):
            yield item
            continue
        header, payload = item
        try:
            for piece in restore_frame(header, payload, models, kernel):
                yield header, piece, False
            yield header, b"", True
        except FormatError as error:
            if not keep_going:
                raise
            yield Damaged(header.offset, header.payload_length, str(error))


def decompress_stream(
    source: BinaryIO,
    out: BinaryIO,
    models: list[Model] | None = None,
    kernel: str = "auto",
    keep_going: bool = False,
    report: Report = lambda done: None,
) -> Summary:
    """Restore everything in `source` to `out`. Raises FormatError, ChecksumError, ModelMismatchError."""
    summary, done = Summary(), 0
    for item in restored(source, models, kernel, keep_going):
        if isinstance(item, Damaged):
            summary.damaged.append(item)
            continue
        header, piece, ends = item
        out.write(piece)
        done += len(piece)
        report(done)
        if ends:
            name = header.kind.name.lower() if header.model_id is None else header.model_id.hex()
            summary.frames.append(Frame(header.source_length, header.payload_length, len(header.pack()), name))
    return summary


def compress(data: bytes, model: "Model | str | None" = None, lanes: int | None = None) -> bytes:
    """`data` as a complete .tokp file. Without a model, the best of the shipped ones is chosen.

    >>> data = b"a stitch in time saves nine; " * 40
    >>> decompress(compress(data)) == data
    True
    """
    out = io.BytesIO()
    models = None if model is None else [store.load(model)]
    compress_stream(io.BytesIO(data), out, Options(models=models, lanes=lanes))
    return out.getvalue()


def decompress(data: bytes, models: "list[Model | str] | None" = None) -> bytes:
    """The source of a .tokp file. Raises FormatError, ChecksumError, ModelMismatchError; never wrong bytes."""
    out = io.BytesIO()
    decompress_stream(io.BytesIO(data), out, [store.load(m) for m in models or []])
    return out.getvalue()
