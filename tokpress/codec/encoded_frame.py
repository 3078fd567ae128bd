"""One frame in memory: encoded by a model, by a lossy model with a residual, by lzma, or raw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..container.frames import CONTEXT_BYTES, Kind
from ..container.short import MAX_PAYLOAD, MAX_SHORT
from ..media.grid import Grid
from ..models import store
from ..models.contexts import needs_no_count
from ..models.model import Model
from ..tokens import TokenBuffer
from .context import Context
from .options import Options, Report

if TYPE_CHECKING:
    from ..media.distortion import Distortion

#: additional bytes in the header of a model frame: the model's id and the number of tokens; and in that of a short frame
LONGER, SHORTER = 8, -6
#: the model that codes the residual of a lossy tokenizer; a frame names it by its id
RESIDUAL_MODEL = "linear-prediction"


class EncodedFrame(NamedTuple):
    """A payload, and the fields of its header. model, tokens, lanes: of a model frame; lanes None: as many as the prior's rule says."""

    kind: Kind
    source_length: int
    payload: bytes
    model: Model | None = None
    tokens: int | None = None
    lanes: int | None = None
    #: the model that codes the residual, in a frame that a lossy model restores exactly
    residual_model: Model | None = None
    #: the reconstruction, where it is not the source, and its distortion
    restores: bytes | None = None
    distortion: Distortion | None = None
    #: what the model read first
    context: Context | None = None

    @property
    def is_short(self) -> bool:
        """Whether it fits a short frame, if it is the only one of its member."""
        if self.context is None or self.model is None:
            return False
        fits = self.source_length <= MAX_SHORT and len(self.payload) <= MAX_PAYLOAD
        return fits and needs_no_count(self.model.tokenizer.sizes, self.source_length)

    @property
    def context_id(self) -> bytes:
        """What the header has of the context, or of the x that a model is given."""
        if self.context is not None:
            return self.context.id()
        return self.model.given_digest if self.kind == Kind.GIVEN and self.model else b""

    @property
    def added_bytes(self) -> int:
        """Additional bytes in the header of a model's frame, over one without a model."""
        if self.context is None:
            return LONGER + CONTEXT_BYTES * (self.kind == Kind.GIVEN)
        return SHORTER if self.is_short else LONGER + CONTEXT_BYTES


def complete(model: Model, source: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    """Encode by a lossy model and the residual of its reconstruction (`residual`)."""
    from . import residual  # numpy

    size, residual_model = len(source), store.load(RESIDUAL_MODEL)
    payload, count, lanes = residual.encode(
        model, residual_model, source, options.lanes, lambda share: report(int(share * size)), grid, options.kernel
    )
    coded = _of_model(model, size, payload, count, lanes)
    return coded._replace(kind=Kind.RESIDUAL, residual_model=residual_model)


def encode(
    model: Model,
    source: bytes,
    options: Options,
    report: Report,
    grid: Grid | None = None,
    tokens: TokenBuffer | None = None,
) -> EncodedFrame:
    """Encode by a model. grid, tokens: of the source, where they were computed before."""
    size, context = len(source), options.context
    payload, count, lanes = model.encode(
        source,
        options.lanes,
        lambda share: report(int(share * size)),
        grid,
        tokens,
        options.kernel,
        context=context.tokens(model) if context else None,
        most_lanes=options.most_lanes,
    )
    if context:
        return EncodedFrame(Kind.CONTEXT, size, payload, model, count, context=context)
    return _of_model(model, size, payload, count, lanes)


def _of_model(model: Model, size: int, payload: bytes, tokens: int, lanes: int) -> EncodedFrame:
    """A model frame, whose header has the lanes only where they differ from the prior's rule."""
    header_lanes = None if lanes == model.prior.rules.lanes(tokens) else lanes
    kind = Kind.GIVEN if model.given_digest else Kind.MODEL
    return EncodedFrame(kind, size, payload, model, tokens, header_lanes)


def plain(packed: bytes | None, source: bytes) -> EncodedFrame:
    """A frame without a model: by lzma if that is smaller, else raw. packed: the result of lzma."""
    if packed is not None and len(packed) < len(source):
        return EncodedFrame(Kind.LZMA, len(source), packed)
    return EncodedFrame(Kind.RAW, len(source), source)
