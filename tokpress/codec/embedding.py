"""Write models into a file, so that it stands alone: each is a frame before the frames that it codes (docs/format.md, "Embedded models")."""

from __future__ import annotations

from typing import BinaryIO

from ..container.frames import FrameHeader, Kind, write_frame
from ..models import identity, store
from ..models.model import Model
from .options import EFFORTS, Options


def candidates(options: Options) -> list[Model]:
    """The models that may code a frame, but for shipped ones that are code alone, which every release has."""
    from ..models import embedded  # for such files only

    names = EFFORTS[options.effort][0] if options.models is None else options.models
    return [
        model for model in map(store.load, names) if embedded.has_weights(model) or not identity.folder_of(model.id)
    ]


def write_models(out: BinaryIO, options: Options) -> list[FrameHeader]:
    """Write the models of `options` where it embeds them; returns the headers of their frames."""
    if not options.embed:
        return []
    from ..models import embedded

    written = []
    for model in candidates(options):
        packed = embedded.pack(model)
        header = FrameHeader(kind=Kind.WEIGHTS, source_length=0, payload_length=len(packed), model_id=model.id)
        written.append(write_frame(out, header, packed))
    return written
