"""Write models into a file, so that it stands alone: each is a frame before the frames that it codes (docs/format.md, "Embedded models")."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ..container.frames import FrameHeader, Kind, write_frame
from ..models import folder, identity, store
from ..models.model import Model
from .efforts import EFFORTS
from .options import Options


def candidates(options: Options) -> list[Model]:
    """The models that may code a frame, but for shipped ones that are code alone, which every release has."""
    names = EFFORTS[options.effort][0] if options.models is None else options.models
    return [model for model in map(store.load, names) if not _is_code(identity.folder_of(model.id))]


def _is_code(shipped: Path | None) -> bool:
    """Whether the directory of a shipped model holds nothing but settings that decoding needs."""
    return shipped is not None and len(folder.needed(shipped)) == 1


def write_models(out: BinaryIO, options: Options) -> list[FrameHeader]:
    """Write the models of `options` where it embeds them; returns the headers of their frames."""
    if not options.embed:
        return []
    from ..models import embedded  # for such files only

    written = []
    for model in candidates(options):
        packed = embedded.pack(model)
        header = FrameHeader(kind=Kind.WEIGHTS, source_length=0, payload_length=len(packed), model_id=model.id)
        written.append(write_frame(out, header, packed))
    return written
