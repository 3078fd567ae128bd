"""Frames back to their source: several at once where models decode them, each verified before its last piece is passed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple

from ..container.frames import (
    MAX_NUMBER,
    Damaged,
    Digest,
    FrameHeader,
    Payload,
    check_source,
    iter_frames,
    restore_plain,
)
from ..container.varint import ADVICE, has_more_now
from ..errors import ChecksumError, FormatError, ModelMismatchError, TokpressError
from ..exact.threads import processors
from ..models import store
from ..models.model import Model
from .ahead import Ahead, Sum

Report = Callable[[int], None]
#: decoded frames up to this size are checked before a byte of them is passed on
HOLD = 1 << 26


def _restore(header: FrameHeader, payload: bytes, models: Sequence[Model], kernel: str, report: Report) -> bytes:
    assert header.tokens is not None  # what a kind with models means
    try:
        model, *residual_model = [store.by_id(id, models) for id in header.model_ids]
    except ModelMismatchError as error:
        raise ModelMismatchError(f"{header.where}: {error}") from None
    lanes = model.prior.rules.lanes(header.tokens)
    if header.lanes == lanes:  # a header has one spelling
        raise FormatError(
            f"{header.where}: it tells the {lanes:,} lanes that the model's rule gives: get a complete copy of the file"
        )
    lanes = header.lanes or lanes
    size = header.source_length

    def share_done(share: float) -> None:
        report(int(share * size))

    try:
        if residual_model:
            from . import residual  # numpy

            source = residual.decode(model, residual_model[0], payload, header.tokens, lanes, share_done, size, kernel)
        else:
            source = model.decode(payload, header.tokens, lanes, share_done, size, kernel)
    except ChecksumError as error:
        other = (
            "; or --given names another file than the one that it was made with" if model.prior.rules.given_size else ""
        )
        raise ChecksumError(f"{header.where}: {error}: {ADVICE}{other}") from error
    check_source(header, source)
    return source


def restore_frame(
    header: FrameHeader,
    payload: Payload,
    models: Sequence[Model] = (),
    kernel: str = "auto",
    report: Report = lambda done: None,
) -> Iterator[bytes]:
    """The source of one frame in pieces. Up to HOLD bytes come checked and in one; larger lzma frames stream, and their
    last piece comes checked. `report` hears the bytes restored while a model is at work.

    Raises FormatError, ChecksumError, ModelMismatchError."""
    if header.kind.model_ids:
        yield _restore(header, payload.read(), models, kernel, report)
    elif header.source_length <= HOLD:
        yield b"".join(restore_plain(header, payload))
    else:
        yield from restore_plain(header, payload)


def _verified(source: BinaryIO, header: FrameHeader, payload: Payload) -> Payload:
    """The same payload again, after its frame has been decoded once and found intact. For files that can seek."""
    begin = source.tell()
    for _ in restore_plain(header, payload):
        pass
    source.seek(begin)
    return Payload(source, header)


def _past_damage(source: BinaryIO) -> Iterator[tuple[FrameHeader, Payload] | Damaged]:
    from ..container.salvage import iter_frames_keep_going  # for damaged files only

    return iter_frames_keep_going(source)


class _Drawn(NamedTuple):
    """A frame that was read, and its progress report. The payload of a raw or lzma frame is still in the stream."""

    header: FrameHeader
    payload: bytes | Payload
    tell: Report


def _is_streamed(item: _Drawn | Damaged) -> bool:
    return isinstance(item, _Drawn) and isinstance(item.payload, Payload)


def restored(
    source: BinaryIO,
    models: list[Model] | None = None,
    kernel: str = "auto",
    keep_going: bool = False,
    report: Report = lambda done: None,
) -> Iterator[tuple[FrameHeader, bytes, bool] | Damaged]:
    """Decoded pieces in order: (header, bytes, whether this ends the frame). With `keep_going`, holes as Damaged:
    damage, and frames of models that are not here; then no piece of a frame comes before all of it is verified.

    No frame's last piece comes before the frame is verified (`restore_frame`), and no member's before the member is. Frames of
    models are decoded several at once (`ahead`).
    `report` hears the bytes restored in all, within frames too."""
    progress, digest, at = Sum(report), Digest(), 0

    def drawn() -> Iterator[_Drawn | Damaged]:
        for item in _past_damage(source) if keep_going else iter_frames(source):
            if isinstance(item, Damaged):
                yield item
                continue
            header, payload = item
            # what a model decodes is read at once, so that the frames behind it can be drawn
            yield _Drawn(header, payload.read() if header.kind.model_ids else payload, progress.of_one())

    def decode(item: _Drawn | Damaged) -> tuple[FrameHeader, Iterable[bytes] | TokpressError, Report] | Damaged:
        if isinstance(item, Damaged):
            return item
        header, payload, tell = item

        def within(done: int) -> None:
            ahead.check()
            tell(done)

        if isinstance(payload, bytes):
            try:
                return header, [_restore(header, payload, models or [], kernel, within)], tell
            except (FormatError, ModelMismatchError) as error:
                return header, error, tell
        return header, streamed(header, payload), tell

    def streamed(header: FrameHeader, payload: Payload) -> Iterator[bytes]:
        if keep_going and header.source_length > HOLD:
            payload = _verified(source, header, payload)
        yield from restore_frame(header, payload)

    ready = partial(has_more_now, source)  # what came through a pipe is passed on before the next frame is waited for
    with Ahead(drawn(), decode, processors(), alone=_is_streamed, ready=ready) as ahead:
        for item in ahead:
            if isinstance(item, Damaged):
                at = MAX_NUMBER  # behind a gap: the digest of this member tells nothing any more
                yield item
                continue
            header, pieces, tell = item
            if not header.sequence:
                digest, at = Digest(), 0
            left = header.source_length
            try:
                if isinstance(pieces, TokpressError):
                    raise pieces
                for piece in pieces:
                    if not header.alone:
                        digest.take(piece, at)
                    at, left = at + len(piece), left - len(piece)
                    tell(header.source_length - left)
                    # with keep_going the frame is right by itself: its bytes come, and the member is reported afterwards
                    if not left and not keep_going:
                        digest.check(header)
                    yield header, piece, not left
                if keep_going:
                    digest.check(header)
            except (FormatError, ModelMismatchError) as error:
                if not keep_going:
                    raise
                message, lost = str(error), left and len(header.pack()) + header.payload_length
                if not message.startswith(header.where):
                    message = f"{header.where}: {message}"
                at = MAX_NUMBER
                yield Damaged(header.offset, lost, message, unverified=not lost)
