"""Frames back to their source. Frames of models are decoded several at a time; every frame is verified before its last piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO, NamedTuple

from ..container.digest import DigestInOrder
from ..container.frames import Damaged, FrameHeader, Kind, Payload, check_source, restore_plain
from ..container.member import iter_frames
from ..container.varint import ADVICE, has_more_now
from ..errors import ChecksumError, FormatError, ModelMismatchError, TokpressError
from ..exact.threads import processors
from ..models import store
from ..models.model import Model
from .ahead import Ahead, TotalProgress
from .context import Context, models_for
from .options import Report

#: decoded frames up to this size are verified before the first of their bytes is returned
HOLD = 1 << 26


@dataclass(frozen=True)
class Decoding:
    """What decoding takes beside the frames. models: searched before the shipped ones. context: that of the encoder, for frames with one."""

    models: Sequence[Model] = ()
    kernel: str = "auto"
    context: Context | None = None


def with_model(given: Decoding, header: FrameHeader, payload: bytes) -> Decoding:
    """`given` with the model of this frame. A model that is here already is not read again. Raises FormatError."""
    from ..models import embedded  # for such files only

    assert header.model_id is not None
    try:
        model = store.by_id(header.model_id, given.models)
    except ModelMismatchError:
        try:
            model = embedded.unpack(payload, header.model_id)
        except TokpressError as error:
            raise FormatError(f"{header.where}: {error}") from error
    return replace(given, models=[*given.models, model])


def _restore(header: FrameHeader, payload: bytes, given: Decoding, report: Report) -> bytes:
    if header.kind.reads_context:
        return _by_context(header, payload, given, report)
    source = _by_models(header, payload, given, report)
    check_source(header, source)
    return source


def _by_context(header: FrameHeader, payload: bytes, given: Decoding, report: Report) -> bytes:
    """The source of a frame with a context. Several models may have the key of a short frame: the first that restores its source."""
    wrong: TokpressError | None = None
    for model in models_for(header, given.context, given.models):
        try:
            return _after_context(header, payload, given, report, model)
        except TokpressError as error:  # another model of the key may read no context at all
            wrong = error if wrong is None or isinstance(error, ChecksumError) else wrong
    assert wrong is not None  # there is a model
    raise wrong


def _after_context(header: FrameHeader, payload: bytes, given: Decoding, report: Report, model: Model) -> bytes:
    assert given.context is not None  # models_for has refused
    size = header.source_length
    try:
        source = model.decode(
            payload,
            header.tokens,
            report=lambda share: report(int(share * size)),
            length=size,
            kernel=given.kernel,
            context=given.context.tokens(model),
        )
    except ChecksumError as error:
        raise ChecksumError(f"{header.where}: {error}: {ADVICE}") from error
    check_source(header, source)
    return source


def _by_models(header: FrameHeader, payload: bytes, given: Decoding, report: Report) -> bytes:
    assert header.tokens is not None  # a kind with models has tokens
    models, kernel = given.models, given.kernel
    try:
        model, *residual_model = [store.by_id(id, models) for id in header.model_ids]
    except ModelMismatchError as error:
        raise ModelMismatchError(f"{header.where}: {error}") from None
    _check_given(header, model)
    lanes = model.prior.rules.lanes(header.tokens)
    if header.lanes == lanes:  # a header leaves them out then
        raise FormatError(
            f"{header.where}: it names the {lanes:,} lanes that the model's rule gives: get a complete copy of the file"
        )
    lanes = header.lanes or lanes
    size = header.source_length

    def share_done(share: float) -> None:
        report(int(share * size))

    report(0)  # the models are loaded: decoding begins
    try:
        if residual_model:
            from . import residual  # numpy

            return residual.decode(model, residual_model[0], payload, header.tokens, lanes, share_done, size, kernel)
        return model.decode(payload, header.tokens, lanes, share_done, size, kernel)
    except ChecksumError as error:
        raise ChecksumError(f"{header.where}: {error}: {ADVICE}") from error


def _check_given(header: FrameHeader, model: Model) -> None:
    """Raises FormatError where the model predicts from another file and the frame names none, or the reverse; ModelMismatchError where
    that file is another or missing."""
    if bool(model.prior.rules.given_size) != (header.kind == Kind.GIVEN):
        raise FormatError(f"{header.where}: its kind is not that of its model: {ADVICE}")
    if header.context_id != model.given_digest:
        found = model.given_digest.hex() or "none"
        raise ModelMismatchError(
            f"{header.where}: its model {model.name} needs the given file {header.context_id.hex()}, but has {found}: name it with --given, "
            "and the model with -m"
        )


def restore_frame(
    header: FrameHeader,
    payload: Payload,
    given: Decoding,
    report: Report = lambda done: None,
) -> Iterator[bytes]:
    """The source of one frame in pieces. A frame up to HOLD bytes is one piece, and verified. A larger lzma frame streams, and is
    verified before its last piece. `report` is called with the bytes restored while a model decodes.

    Raises FormatError, ChecksumError, ModelMismatchError."""
    if header.kind.is_coded:
        yield _restore(header, payload.read(), given, report)
    elif header.source_length <= HOLD:
        yield b"".join(restore_plain(header, payload))
    else:
        yield from restore_plain(header, payload)


def _verified(source: BinaryIO, header: FrameHeader, payload: Payload) -> Payload:
    """The same payload again, after its frame was decoded once and verified. For files that can seek."""
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
    report: Report


@dataclass
class _Decoded:
    """A frame whose source can be returned. pieces: the source, perhaps decoded piece by piece; or the error of decoding."""

    header: FrameHeader
    pieces: Iterable[bytes] | TokpressError
    report: Report
    #: source bytes of the frame that were not returned yet
    left: int

    def lost(self, error: TokpressError) -> Damaged:
        """The damage in place of this frame; of length 0 if its bytes were returned, and only the digest of its member is wrong."""
        message, length = str(error), self.left and self.header.frame_bytes
        if not message.startswith(self.header.where):
            message = f"{self.header.where}: {message}"
        return Damaged(self.header.offset, length, message, unverified=not length)


def _is_streamed(item: _Drawn | Damaged) -> bool:
    return isinstance(item, _Drawn) and isinstance(item.payload, Payload)


class _Frames:
    """Draws frames from a stream, and decodes them."""

    def __init__(self, source: BinaryIO, given: Decoding, keep_going: bool, report: Report) -> None:
        self._source, self._given, self._keep_going = source, given, keep_going
        self._progress = TotalProgress(report)

    def draw(self) -> Iterator[_Drawn | Damaged]:
        for item in _past_damage(self._source) if self._keep_going else iter_frames(self._source):
            if isinstance(item, Damaged):
                yield item
                continue
            header, payload = item
            if header.kind == Kind.WEIGHTS:
                try:
                    self._given = with_model(self._given, header, payload.read())
                except FormatError as error:
                    if not self._keep_going:
                        raise
                    yield Damaged(header.offset, header.frame_bytes, str(error))
                    continue
            # what a model decodes is read at once, so that the frames behind it can be drawn
            yield _Drawn(header, payload.read() if header.kind.is_coded else payload, self._progress.item_report())

    def decode(self, item: _Drawn | Damaged, check: Callable[[], None]) -> _Decoded | Damaged:
        """Decode a drawn frame. check: called regularly; it raises if the result is no longer needed."""
        if isinstance(item, Damaged):
            return item
        header, payload, report = item
        if header.kind == Kind.WEIGHTS:
            return _Decoded(header, [b""], report, 0)
        pieces: Iterable[bytes] | TokpressError
        if isinstance(payload, Payload):
            pieces = self._stream(header, payload)
        else:

            def checked(done: int) -> None:
                check()
                report(done)

            try:
                pieces = [_restore(header, payload, self._given, checked)]
            except (FormatError, ModelMismatchError) as error:
                pieces = error
        return _Decoded(header, pieces, report, header.source_length)

    def _stream(self, header: FrameHeader, payload: Payload) -> Iterator[bytes]:
        if self._keep_going and header.source_length > HOLD:
            payload = _verified(self._source, header, payload)
        yield from restore_frame(header, payload, self._given)


def restored(
    source: BinaryIO,
    given: Decoding,
    keep_going: bool = False,
    report: Report = lambda done: None,
) -> Iterator[tuple[FrameHeader, bytes, bool] | Damaged]:
    """Yields decoded pieces in order: (header, bytes, whether this ends the frame).

    A frame is verified before its last piece (`restore_frame`), and a member before the last piece of its last frame. With
    `keep_going`, Damaged stands for each place that is damaged or needs a missing model; a frame is then verified before its first
    piece, and its member after its last piece. Several frames of models are decoded at once (`ahead`). report: called with the bytes
    restored so far, also within frames."""
    frames, member = _Frames(source, given, keep_going, report), DigestInOrder()
    can_draw = partial(has_more_now, source)  # return what came through a pipe before waiting for the next frame
    with Ahead(
        frames.draw(),
        lambda item: frames.decode(item, ahead.check),
        processors(),
        is_barrier=_is_streamed,
        can_draw=can_draw,
    ) as ahead:
        for item in ahead:
            if isinstance(item, Damaged):
                member.lose()
                yield item
                continue
            try:
                yield from _pieces(item, member, keep_going)
            except (FormatError, ModelMismatchError) as error:
                if not keep_going:
                    raise
                member.lose()
                yield item.lost(error)


def _pieces(frame: _Decoded, member: DigestInOrder, keep_going: bool) -> Iterator[tuple[FrameHeader, bytes, bool]]:
    """The pieces of a frame; `member` takes each. Raises FormatError, ModelMismatchError."""
    header = frame.header
    member.begin(header)
    if isinstance(frame.pieces, TokpressError):
        raise frame.pieces
    for piece in frame.pieces:
        member.take(header, piece)
        frame.left -= len(piece)
        frame.report(header.source_length - frame.left)
        if not frame.left and not keep_going:
            member.check(header)
        yield header, piece, not frame.left
    if keep_going:  # the frame is intact by itself: its bytes have been passed on
        member.check(header)
