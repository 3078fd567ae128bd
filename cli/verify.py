"""Whether a file that was written restores its source: it is read and decoded before an input is deleted."""

import io
from typing import BinaryIO, cast

from tokpress.errors import TokpressError

from .output import OutputError
from .progress import Progress
from .streams import Nowhere


class Differs(TokpressError):
    """What was decoded is not the source."""


class Same(io.RawIOBase):
    """Takes nothing but the bytes of `source`, in their order. Raises Differs."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._taken = source, 0

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        at = 0
        while at < len(data):
            piece = self._source.read(len(data) - at)
            if not piece or piece != data[at : at + len(piece)]:
                raise Differs(
                    f"it differs after byte {self._taken + at:,} at the earliest: please report this, with the model"
                )
            at += len(piece)
        self._taken += at
        return at

    def end(self) -> None:
        if self._source.read(1):
            raise Differs(f"it ends after byte {self._taken:,}: please report this, with the model")


def check(name: str, written: BinaryIO, source: BinaryIO | None, models: list, kernel: str, progress: Progress) -> None:
    """Decode the file `written` and compare it with `source`; where that is None, the checksums of its frames decide.

    Raises OutputError where it does not restore the source."""
    from tokpress.codec.stream import decompress_stream

    written.flush()
    written.seek(0)
    sink = Nowhere() if source is None else Same(source)
    try:
        decompress_stream(written, cast(BinaryIO, sink), models, kernel, False, progress.report)
        if isinstance(sink, Same):
            sink.end()
    except TokpressError as error:
        raise OutputError(
            f"{name}: is kept, and nothing is written: what was compressed does not decode to it: {error}"
        ) from error
