"""One frame in memory: encoded by a model, by a lossy model with a residual, by lzma, or raw."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..container.frames import Kind
from ..media.grid import Grid
from ..models import store
from ..models.model import Model
from ..tokens import TokenBuffer
from .options import Options, Report

if TYPE_CHECKING:
    from ..media.distortion import Distortion

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
    size = len(source)
    payload, count, lanes = model.encode(
        source, options.lanes, lambda share: report(int(share * size)), grid, tokens, options.kernel
    )
    return _of_model(model, size, payload, count, lanes)


def _of_model(model: Model, size: int, payload: bytes, tokens: int, lanes: int) -> EncodedFrame:
    """A model frame, whose header has the lanes only where they differ from the prior's rule."""
    header_lanes = None if lanes == model.prior.rules.lanes(tokens) else lanes
    return EncodedFrame(Kind.MODEL, size, payload, model, tokens, header_lanes)


def plain(packed: bytes | None, source: bytes) -> EncodedFrame:
    """A frame without a model: by lzma if that is smaller, else raw. packed: the result of lzma."""
    if packed is not None and len(packed) < len(source):
        return EncodedFrame(Kind.LZMA, len(source), packed)
    return EncodedFrame(Kind.RAW, len(source), source)
