"""Compress and decompress streams, in bounded memory.

A source is cut into frames of FRAME_SIZE bytes. A trial on part of a frame finds the best candidate; it codes the frame, unless lzma
(at the strength of `xz -9e`) or raw bytes are smaller. A seekable source of several frames is also compressed by lzma as a whole, and
the smaller result is taken, so that matches across frames are not lost. lzma is left out where its quick form tells that it would be
larger (`container/lzma2.py`). So a result is as small as that of `xz -9e`, or of `xz -8e` for sources of more than 32 MiB, the size of
its dictionary. For a source that the quick form misjudges it may be larger; no file measured was one.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from ..container import proportion
from ..container.digest import Digest
from ..container.frames import Damaged, FrameHeader, Kind, ends_with_digest, short_check, write_frame
from ..container.lzma2 import LzmaEncoder, few_symbols, in_turn, least_size, quick_encoder
from ..container.varint import PIECE, as_bytes, need, read_some, write_all
from ..exact.threads import processors
from ..models import store
from ..models.model import Model
from . import context as contexts
from . import embedding
from .ahead import Ahead, TotalProgress
from .choose import LZMA_ENOUGH, choose_frame
from .context import Context
from .efforts import Effort
from .encoded_frame import EncodedFrame
from .framing import Block, blocks, bytes_left
from .options import Options, Report
from .restore import Decoding, restored

if TYPE_CHECKING:
    from ..media.distortion import Distortion

#: shares of the progress of a call that stand for lzma over the whole source, by the quick encoder and by the full one
QUICK_SHARE, LZMA_SHARE = 0.02, 0.13


class Frame(NamedTuple):
    """Sizes of one frame. stored: "raw", "lzma" or the model's name; after decompression, the model's id."""

    source_bytes: int
    payload_bytes: int
    header_bytes: int
    stored: str
    #: of a frame that restores a reconstruction
    distortion: Distortion | None = None
    #: as in its header
    sequence: int = 0
    total_length: int | None = None


class Summary:
    """All frames of a call, and the holes between them."""

    def __init__(self, frames: Iterable[Frame] = ()) -> None:
        self.frames = list(frames)
        self.damaged: list[Damaged] = []

    def add(self, other: Summary) -> None:
        """Append the frames of another file."""
        self.frames += other.frames

    def add_models(self, headers: Iterable[FrameHeader]) -> None:
        """Append frames of embedded models."""
        self.frames += [Frame(0, header.payload_length, len(header.pack()), "embedded") for header in headers]

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

    @property
    def distortion(self) -> Distortion | None:
        """Distortion of all lossy frames; None where there is none."""
        lost = [f.distortion for f in self.frames if f.distortion]
        return sum(lost[1:], lost[0]) if lost else None


class MemberWriter:
    """Writes the frames of one source, which form a member of the file, to `out`."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._digest = out, Digest()
        self._frames = self._restored = 0
        self._link = b""

    def write(self, coded: EncodedFrame, source: bytes, last: bool) -> Frame:
        """Write the next frame, which is `source`, coded. Raises ValueError where their lengths differ."""
        if coded.source_length != len(source):
            raise ValueError(f"the frame is of a source of {coded.source_length} bytes, not {len(source)}")
        restored = source if coded.restores is None else coded.restores
        self._restored += len(restored)
        has_digest = ends_with_digest(last, self._frames, len(restored))
        if has_digest or not last:
            self._digest.take(restored)
        if last and not self._frames and coded.is_short and coded.context and coded.model:
            return self._write_short(coded, source, coded.context.key(coded.model.id))
        payload = _padded(coded)
        header = FrameHeader(
            kind=coded.kind,
            source_length=len(restored),
            payload_length=len(payload),
            source_crc=zlib.crc32(restored),
            last=last,
            sequence=self._frames,
            link=self._link,
            total_length=self._restored if last and self._frames else None,
            digest=self._digest.value() if has_digest else b"",
            model_id=coded.model.id if coded.model else None,
            residual_id=coded.residual_model.id if coded.residual_model else None,
            tokens=coded.tokens,
            lanes=coded.lanes,
            context_id=coded.context_id,
        )
        header = write_frame(self._out, header, payload)
        self._frames, self._link = self._frames + 1, header.next_link()
        stored = coded.model.name if coded.model else coded.kind.name.lower()
        return Frame(len(source), len(payload), len(header.pack()), stored, coded.distortion)

    def _write_short(self, coded: EncodedFrame, source: bytes, key: bytes) -> Frame:
        assert coded.model is not None  # it was coded with a context
        size = len(coded.payload)
        header = FrameHeader(kind=Kind.SHORT, source_length=len(source), payload_length=size, context_id=key)
        header = write_frame(self._out, short_check(header, source), coded.payload)
        self._frames += 1
        return Frame(len(source), size, len(header.pack()), coded.model.name)


def _padded(coded: EncodedFrame) -> bytes:
    """The payload of a frame that tells its token count: not shorter than that count allows."""
    if coded.context is None or coded.model is None or coded.tokens is None:
        return coded.payload
    return proportion.padded(coded.payload, coded.tokens, 1, coded.model.prior.rules.tokens_per_byte)


def _compress_frames(source: BinaryIO, out: BinaryIO, options: Options, limit: float = math.inf) -> Summary | None:
    """Compress frame by frame, several at a time. Stops and returns None once the frames take more than `limit` bytes."""
    summary, member, progress = Summary(), MemberWriter(out), TotalProgress(options.report)
    summary.add_models(embedding.write_models(out, options))

    def code(block: Block) -> tuple[bool, list[tuple[bytes, EncodedFrame]]]:
        """(whether the block ends the source, its pieces, each with its frame)."""
        report_item = progress.item_report()

        def report(done: int) -> None:
            ahead.check()
            report_item(done)

        if options.lossy or options.completes:
            from . import lossy  # slow to import

            pieces = lossy.coded_pieces(block, options, report)
        else:
            pieces = [(block.source, choose_frame(block.source, options, report, block.grid))]
        report(len(block.source))
        return block.last, pieces

    with Ahead(blocks(source, options), code, processors()) as ahead:
        for last, pieces in ahead:
            for i, (piece, coded) in enumerate(pieces, 1):
                summary.frames.append(member.write(coded, piece, last=last and i == len(pieces)))
            if summary.file_bytes > limit:
                return None
    return summary


def _lzma_whole(source: BinaryIO, length: int, spool: BinaryIO, report: Report) -> FrameHeader | None:
    """Write the source as one lzma payload to `spool`, in place of what it holds. Returns its header, or None where the source grew or
    shrank meanwhile."""
    spool.seek(0)
    spool.truncate()
    crc, seen, digest = 0, 0, Digest()
    with in_turn(lambda: report(0)):
        encoder = LzmaEncoder(length)
        while piece := read_some(source, PIECE):
            crc, seen = zlib.crc32(piece, crc), seen + len(piece)
            if seen > length:
                return None  # it may have no end
            digest.take(piece)
            spool.write(encoder.compress(piece))
            report(seen)
        spool.write(encoder.finish())
    if seen != length:
        return None
    size = spool.tell()
    spool.seek(0)
    whole = digest.value() if ends_with_digest(True, 0, seen) else b""
    return FrameHeader(kind=Kind.LZMA, source_length=seen, payload_length=size, source_crc=crc, digest=whole)


def _least_of_lzma(source: BinaryIO, length: int, report: Report) -> float:
    """`least_size` of the source as one payload."""
    size = seen = few = 0
    with in_turn(lambda: report(0)):
        encoder = quick_encoder(length)
        while seen < length and (piece := read_some(source, PIECE)):
            size, seen, few = size + len(encoder.compress(piece)), seen + len(piece), few + few_symbols(piece)
            report(seen)
        return least_size(size + len(encoder.finish()), few, seen)


def compress_stream(source: BinaryIO, out: BinaryIO, options: Options | None = None) -> Summary:
    """Compress the rest of `source` to `out`. Memory is bounded by the frame size and lzma's dictionary.

    A seekable source longer than a frame is compressed by lzma as a whole too, in $TMPDIR, unless the frames are smaller than lzma can
    be; the smaller result is taken. `out` is only written to: it need not seek, and what it holds stays."""
    need(source, "read")
    need(out, "write")
    options = options or Options()
    length = bytes_left(source) or 0
    if length <= options.frame_size or options.lossy or options.completes or not options.whole:
        return cast(Summary, _compress_frames(source, out, options))
    import tempfile  # slow to import, and rarely needed

    start, stages = source.tell(), _Stages(options.report, length)
    least = _least_of_lzma(source, length, stages.stage(QUICK_SHARE))
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as frames:

        def pack() -> FrameHeader | None:
            source.seek(start)
            return _lzma_whole(source, length, spool, stages.stage(LZMA_SHARE))

        header, summary = None, None
        if options.models is None and least * LZMA_ENOUGH < length:  # lzma alone may do
            header = pack()
        if header is None or header.payload_length * LZMA_ENOUGH >= length:
            source.seek(start)
            limit = header.payload_length + 32 if header else math.inf
            frame_options = replace(options, report=stages.stage(1 - stages.begun - (0 if header else LZMA_SHARE)))
            summary = _compress_frames(source, frames, frame_options, limit)
            if summary and header is None and summary.file_bytes >= least and summary.source_bytes == length:
                header = pack()
        if header and (summary is None or summary.file_bytes > header.payload_length + 32):
            header = write_frame(out, header, spool)
            summary = Summary([Frame(length, header.payload_length, len(header.pack()), "lzma")])
        else:
            frames.seek(0)
            while piece := frames.read(PIECE):
                write_all(out, piece)
    options.report(length)
    return cast(Summary, summary)


class _Stages:
    """Reports of work that is done in stages. begun: the share of all work before the stage at hand."""

    def __init__(self, report: Report, length: int) -> None:
        self._report, self._length, self.begun = report, length, 0.0

    def stage(self, share: float) -> Report:
        """The reports of the next stage, which is this share of all work."""
        begin, self.begun = self.begun, self.begun + share
        return lambda done: self._report(int(begin * self._length + share * done))


def decompress_stream(
    source: BinaryIO,
    out: BinaryIO,
    models: list[Model] | None = None,
    kernel: str = "auto",
    keep_going: bool = False,
    report: Report = lambda done: None,
    context: Context | None = None,
) -> Summary:
    """Restore the rest of `source` to `out`. Raises FormatError, ChecksumError, ModelMismatchError."""
    summary = Summary()
    need(source, "read")
    need(out, "write")
    for item in restored(source, Decoding(models or [], kernel, context), keep_going, report):
        if isinstance(item, Damaged):
            summary.damaged.append(item)
            continue
        header, piece, ends = item
        write_all(out, piece)
        if ends:
            name = header.kind.name.lower() if header.model_id is None else header.model_id.hex()
            sizes = header.source_length, header.payload_length, len(header.pack())
            summary.frames.append(Frame(*sizes, name, sequence=header.sequence, total_length=header.total_length))
    return summary


def compress(
    data: bytes,
    model: Model | str | None = None,
    lanes: int | None = None,
    effort: Effort = "default",
    context: bytes | Context | None = None,
    embed: bool = False,
) -> bytes:
    """Compress `data` to a complete .tokp file.

    model: a Model, its name or its directory; without it, the best shipped model is chosen for each frame.
    lanes: sequences coded in lock-step, 1 … 512; without it, as many as the model's rule says for this size, at most 8 with effort "best".
    effort: without a model, the candidates: "fast", "default", or "best", which may be slow.
    context: bytes that the model reads first, which `decompress` needs too; for several calls, a `tokpress.Context` of them.
    embed: write the models into the file, so that it can be decoded without them; the text model takes 8 MB.
    For up to 16 MiB, the result is at most 28 bytes longer than `data`. Raises ModelError.

    >>> import tokpress
    >>> data = b"a stitch in time saves nine; " * 40
    >>> packed = tokpress.compress(data, model="context-mixing")
    >>> len(packed) < len(data) / 15, tokpress.decompress(packed) == data
    (True, True)
    """
    out = io.BytesIO()
    models = None if model is None else [store.load(model)]
    options = Options(models=models, lanes=lanes, effort=effort, context=contexts.of(context), embed=embed)
    compress_stream(io.BytesIO(as_bytes(data)), out, options)
    return out.getvalue()


def decompress(
    data: bytes,
    model: Model | str | None = None,
    models: Iterable[Model | str] | None = None,
    context: bytes | Context | None = None,
) -> bytes:
    """The source of a .tokp file, or of several that were joined. `model` and `models` (Models, their names or directories) are
    searched before the shipped ones. context: that of `compress`, where there was one.

    Raises FormatError (ChecksumError where bytes were changed) and ModelMismatchError; never gives wrong bytes.

    >>> import tokpress
    >>> packed = tokpress.compress(b"one") + tokpress.compress(b" and two")
    >>> tokpress.decompress(packed)
    b'one and two'
    >>> tokpress.decompress(packed[:-1])
    Traceback (most recent call last):
    tokpress.errors.FormatError: frame 2 (at byte 16): truncated, 1 byte of its payload of 8 bytes missing: get a \
complete copy of the file
    """
    out = io.BytesIO()
    given = store.load_all(model, models)
    decompress_stream(io.BytesIO(as_bytes(data)), out, given, context=contexts.of(context))
    return out.getvalue()
