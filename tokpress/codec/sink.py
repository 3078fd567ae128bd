"""Bytes in, frames out: how a member is written whose source arrives piece by piece."""

from __future__ import annotations

from typing import Any, BinaryIO

from ..container.varint import as_bytes
from ..errors import TokpressError
from ..models.model import Model
from . import context as contexts
from . import embedding, framing
from .choose import choose_frame
from .context import Context
from .efforts import Effort
from .options import Options
from .stream import MemberWriter


def options_of(
    models: list[Model],
    lanes: int | None,
    frame_size: int,
    kernel: str,
    effort: Effort,
    context: bytes | Context | None,
    embed: bool = False,
) -> Options:
    """Settings of a sink; without models, the shipped ones that `effort` names. Raises TokpressError where a model is lossy."""
    options = Options(
        models or None, lanes, frame_size, kernel, effort=effort, context=contexts.of(context), embed=embed
    )
    if options.completes:
        raise TokpressError("a file object needs a model with a lossless tokenizer: use tokpress.compress for this one")
    return options


class FrameSink:
    """Writes members to `stream`. The last frame is held until it is known whether another follows."""

    def __init__(self, stream: BinaryIO, options: Options) -> None:
        self._stream, self._options = stream, options
        #: source bytes so far
        self.length = 0
        self._held, self._broken = bytearray(), False
        embedding.write_models(stream, options)
        self._begin()

    def _begin(self) -> None:
        self._member, self._grids = MemberWriter(self._stream), framing.Grids()

    def write(self, data: Any) -> int:
        """Write the frames that `data` fills."""
        view = as_bytes(data)
        size, _ = framing.frame_of_items(self._options)
        for start in range(0, len(view), size):
            self._held += view[start : start + size]
            while len(self._held) > size:
                self._put(framing.frame_end(bytes(self._held[:size]), self._options), last=False)
        self.length += len(view)
        return len(view)

    def flush(self) -> None:
        """Write what is held as a frame, which does not end the member."""
        if self._held:
            self._put(len(self._held), last=False)

    def finish(self) -> None:
        """End the member. What is written later begins another one."""
        self._put(len(self._held), last=True)
        self._begin()

    def _put(self, size: int, last: bool) -> None:
        if self._broken:
            raise TokpressError("an earlier write failed, so this file cannot be completed: write it again")
        self._broken = True  # a frame may be half written when an exception leaves this method
        block = bytes(self._held[:size])
        coded = choose_frame(block, self._options, lambda done: None, self._grids.next(block))
        self._member.write(coded, block, last)
        del self._held[:size]
        self._broken = False
