"""Presets of settings. Nothing heavy is imported: `tokpress train --help` lists them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A BPE vocabulary, and a minGRU of this shape (tokpress.priors.text.mingru) in a memory."""

    about: str
    vocab_size: int
    width: int
    depth: int
    hidden: int
    rows: int
    window: int
    max_minutes: float

    @property
    def shape(self) -> str:
        """Sizes of the model, and minutes of the run."""
        return f"{self.vocab_size} symbols, width {self.width}, depth {self.depth}; {self.max_minutes:g} min"


PRESETS = {
    "text": Preset("prose, code, mark-up: hundreds of megabytes", 4096, 256, 4, 512, 32, 256, 120),
    "small": Preset("one kind of record: about 20 MB, done in 15 minutes", 1024, 192, 3, 384, 32, 256, 12),
    "tiny": Preset("to try things out: a minute", 320, 32, 1, 64, 8, 64, 1),
}
