"""A model as huggingface_hub sees it: its mixin makes the repository, the card and the commit. Imports huggingface_hub.

The mixin's `from_pretrained` is not used: it fetches and parses config.json by itself, of any size and perhaps of another commit than the other
files. `hub.fetch` takes all files from one commit.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import ModelCard, ModelHubMixin

from . import folder as folders

ABOUT = """
# {name}

A model of [tokpress](https://pypi.org/project/tokpress/), a lossless compressor. The id `{id}` stands in each file that it compressed.
"""


class _Saved(Protocol):
    name: str
    card: str

    @property
    def id(self) -> bytes: ...

    def save(self, folder: Path, card: str | None = None) -> None: ...


class Pretrained(ModelHubMixin, library_name="tokpress", tags=["lossless-compression"]):
    """model: a `Model`. tag: the one by which its id is found."""

    def __init__(self, model: _Saved, tag: str) -> None:
        self.model, self.tag = model, tag

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the model directory: first under a temporary name."""
        with tempfile.TemporaryDirectory(prefix=".", dir=save_directory.parent) as place:
            new = Path(place) / "model"
            self.model.save(new, card=self._card())
            folders.move(new, save_directory)

    def _card(self) -> str:
        """The card of the model, with the metadata of the Hub: the library, and the tag of the id."""
        text = self.model.card or ABOUT.format(name=self.model.name or "Model", id=self.model.id.hex())
        card = ModelCard(text if text.lstrip().startswith("---") else f"---\n\n---\n{text}")
        data: Any = card.data
        ours = self._hub_mixin_info.model_card_data
        kept = [each for each in data.tags or [] if not each.startswith("tokpress-")]
        data.library_name = ours.library_name
        data.tags = sorted({*kept, *(ours.tags or []), self.tag})
        return str(card)
