"""Code a .tokp file again, by the models of today: the same members and the same frames of the source, so an archive stays one."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, BinaryIO, cast

from ..container.frames import FrameHeader, Kind
from ..container.member import iter_frames
from ..errors import ChecksumError, FormatError
from ..models import store
from . import embedding, framing
from .choose import choose_frame
from .context import models_for
from .options import Options
from .restore import HOLD, Decoding, restored, with_model
from .stream import MemberWriter, Summary, decompress_stream


def models_of(source: BinaryIO, given: Decoding) -> tuple[set[bytes], Decoding]:
    """The ids of the models that the frames of a file need, and `given` with the models that the file holds. The checks of all frames
    are verified. Raises FormatError, ModelMismatchError."""
    needed = set[bytes]()
    for header, payload in iter_frames(source):
        if header.kind == Kind.WEIGHTS:
            given = with_model(given, header, payload.read())
        elif header.kind == Kind.SHORT:  # it does not name its model
            needed.update(model.id for model in models_for(header, given.context, given.models))
        else:
            needed.update(header.model_ids)
    return needed, given


def migrate(source: BinaryIO, out: BinaryIO, given: Decoding, options: Options) -> Summary:
    """Write what `source` restores to `out`, coded anew, and decode that. Both can seek; `out` is read back.

    given: what the old frames need, the models that the file holds among it (`models_of`). options: the models of the new ones. Raises FormatError, ModelMismatchError; ChecksumError where
    `out` does not restore the same bytes."""
    summary, seen = Summary(), _Hash()
    summary.add_models(embedding.write_models(out, options))
    member, grids = MemberWriter(out), framing.Grids()
    for item in restored(source, given, report=options.report):
        header, piece, _ = cast(tuple[FrameHeader, bytes, bool], item)  # nothing is damaged: that raises
        if header.kind == Kind.WEIGHTS:
            continue
        _check(header, given)
        seen.write(piece)
        coded = choose_frame(piece, options, lambda done: None, grids.next(piece))
        summary.frames.append(member.write(coded, piece, header.last))
        if header.last:
            member, grids = MemberWriter(out), framing.Grids()
    out.seek(0)
    decompress_stream(out, cast(BinaryIO, new := _Hash()), options.models, options.kernel, context=options.context)
    if new.digest() != seen.digest():
        raise ChecksumError("the new file does not restore the same bytes: please report this")
    return summary


def _check(header: FrameHeader, given: Decoding) -> None:
    """Raises FormatError where the frame cannot be coded again."""
    if header.source_length > HOLD:
        raise FormatError(f"{header.where}: lzma codes more than 64 MiB as a whole here: there is nothing to migrate")
    lossless = (store.by_id(id, given.models).tokenizer.lossless for id in header.model_ids)
    if header.kind == Kind.MODEL and not all(lossless):
        raise FormatError(f"{header.where}: restores an approximation, which would be coded as if it were the source")


class _Hash:
    """A file that only hashes what is written to it."""

    def __init__(self) -> None:
        self._hash = blake2b()

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return len(data)

    def digest(self) -> bytes:
        return self._hash.digest()
