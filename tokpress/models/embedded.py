"""A model as bytes, for a file that must stand alone (docs/format.md, "Embedded models").

for each file of the model directory that its id depends on:   length of the name · name · length · contents     (lengths as varints)
"""

import io
import os
import tempfile
from pathlib import Path

from ..container.varint import pack_varint, take_varint
from ..errors import FormatError, ModelError, TokpressError
from ..storage import files as model_files
from . import folder as folder_files
from .loading import load_folder
from .model import Model

#: the files, in their order
FILES = (model_files.CONFIG, *folder_files.PARTS, folder_files.TOKENIZER_PART)


def pack(model: Model) -> bytes:
    """The bytes of a model. Raises ModelError where saving the model again changes its id."""
    out, held = b"", _files(model)
    if _identity(held) != model.id:
        raise ModelError(
            f"the model {model.name} cannot be embedded, as another program wrote its files: save it again, tokpress.load(DIR).save(NEW), and use NEW"
        )
    for name, data in held.items():
        out += pack_varint(len(name)) + name.encode() + pack_varint(len(data)) + data
    return out


def _files(model: Model) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        model.save(folder := Path(place) / "model", card="")
        return {name: data for name in FILES if (data := model_files.read(folder / name)) is not None}


def _identity(held: dict[str, bytes]) -> bytes:
    """The id of the model with these files."""
    config = model_files.parse(held[model_files.CONFIG], model_files.CONFIG)
    return folder_files.identity_of(config, {name: held.get(name) for name in FILES[1:]})


def unpack(packed: bytes, id: bytes) -> Model:
    """The reverse of `pack`. Raises ModelError where the bytes are no model, or one with another id."""
    try:
        return _load(_parsed(packed), id)
    except TokpressError as error:
        raise ModelError(f"the embedded model {id.hex()} cannot be used: {error}") from error


def _parsed(packed: bytes) -> dict[str, bytes]:
    """Name → contents of the files."""
    stream, held = io.BytesIO(packed), dict[str, bytes]()

    def take(count: int) -> bytes:
        if count > len(packed) - stream.tell():
            raise FormatError("its bytes end too early")
        return stream.read(count)

    while stream.tell() < len(packed):
        name = take(take_varint(take, "the model")).decode("ascii", "replace")
        if name not in FILES[len(held) :] or name in held:
            raise FormatError(f"it holds a file {name[:40]!r}, which a newer tokpress may know")
        held[name] = take(take_varint(take, "the model"))
    if not held:
        raise FormatError("it is empty")
    return held


def _load(held: dict[str, bytes], id: bytes) -> Model:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / f"embedded-{id.hex()}"  # which gives the model its name
        folder.mkdir()
        for name, data in held.items():
            (folder / name).write_bytes(data)
        try:
            if folder_files.identity(folder) != id:
                raise FormatError("it is not the model of this id")
            return load_folder(folder)
        except TokpressError as error:  # the folder is nothing to a reader of the message
            raise ModelError(str(error).replace(f"{folder}{os.sep}", "")) from error
