"""Checks that an output restores its source, before the input is deleted."""

import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from tokpress.errors import TokpressError

from .output import OutputError
from .progress import Progress
from .streams import Discard

if TYPE_CHECKING:
    from tokpress.codec.options import Options


class Differs(TokpressError):
    """The decoded bytes are not those of the source."""


class Compare(io.RawIOBase):
    """Accepts only the bytes of `source`, in their order. Raises Differs."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._count = source, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        position = 0
        while position < len(data):
            piece = self._source.read(len(data) - position)
            if not piece or piece != data[position : position + len(piece)]:
                raise Differs(
                    f"they differ after byte {self._count + position:,} or later: please report this, with the model"
                )
            position += len(piece)
        self._count += position
        return position

    def end(self) -> None:
        if self._source.read(1):
            raise Differs(f"the output ends after byte {self._count:,}: please report this, with the model")


def check(name: str, written: BinaryIO, source: BinaryIO | None, coded: "Options", progress: Progress) -> None:
    """Decode the file `written` and compare it with `source`; None: compare the checksums of its frames only. coded: the options that it
    was written with.

    Raises OutputError where it does not restore the source."""
    from tokpress.codec.stream import decompress_stream

    written.flush()
    written.seek(0)
    sink = Discard() if source is None else Compare(source)
    try:
        out, models = cast(BinaryIO, sink), coded.models or []
        decompress_stream(written, out, models, coded.kernel, False, progress.report, coded.context)
        if isinstance(sink, Compare):
            sink.end()
    except TokpressError as error:
        raise OutputError(
            f"{name}: is kept: its output did not decode to the same bytes, and was discarded: {error}"
        ) from error
