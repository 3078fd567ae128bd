"""How to get a model that a file needs and that is not here. Nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from . import hub
from . import identity as shipped


def how_to_get(id: bytes, models: Path = shipped.MODELS) -> str:
    """The command that gets the model with this id, by the table of former models and the record of downloads.

    >>> how_to_get(b"none")
    'no list names it: pass its directory with -m, or look for it on the Hugging Face Hub: tokpress models --fetch 6e6f6e65'
    """
    fetch = f"tokpress models --fetch {id.hex()}"
    if (former := shipped.former(id, models)) is not None:
        by = f"pip install {former.package}" if former.package else ""
        by += " or " if by and former.repository else ""
        by += fetch if former.repository else ""
        return f"it is {former.name} of tokpress {former.release}: {by}"
    if (record := hub.recorded(id)) is not None:
        return f"it was fetched from {record.repository} to {record.folder}, where it is no more: {fetch}"
    return f"no list names it: pass its directory with -m, or look for it on the Hugging Face Hub: {fetch}"
