"""Settings that go together, and how they shrink with the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CorpusError
from .corpus import read_chunks
from .options import FitConfig
from .streams import Source

#: a symbol must be learned from somewhere: one new one for so many bytes of corpus
BYTES_PER_SYMBOL = 64
#: a step shall see at most this part of the corpus
STEPS_PER_PASS = 16
LEAST_WINDOW = 16


@dataclass(frozen=True)
class Preset:
    """A BPE vocabulary of V symbols and a minGRU of this shape (tokpress.priors.mingru), in a memory."""

    about: str
    vocab_size: int
    width: int
    depth: int
    hidden: int
    rows: int
    window: int
    max_minutes: float


PRESETS = {
    "text": Preset("prose, code, mark-up: hundreds of megabytes", 4096, 256, 4, 512, 32, 256, 120),
    "small": Preset("one kind of record: about 20 MB, done in 15 minutes", 1024, 192, 3, 384, 32, 256, 12),
    "tiny": Preset("to try things out: a minute", 320, 32, 1, 64, 8, 64, 1),
}


def vocabulary_for(paths: Sequence[Path], asked: int) -> int:
    """The vocabulary that a corpus of this size can fill: 256 bytes and a symbol per BYTES_PER_SYMBOL.

    Reads (and decompresses) only until it is clear that there is enough."""
    enough, size = BYTES_PER_SYMBOL * (asked - 256), 0
    for path in paths:
        for chunk in read_chunks(path):
            size += len(chunk)
            if size >= enough:
                return asked
    return min(asked, 256 + size // BYTES_PER_SYMBOL)


def shrunk(config: FitConfig, sources: Sequence[Source]) -> FitConfig:
    """Fewer rows of a shorter window where the corpus is so small that a step would see all of it at once."""
    longest = max((len(s.tokens) for s in sources), default=0)
    total = sum(len(s.tokens) for s in sources)
    window = config.window
    while window > LEAST_WINDOW and 2 * STEPS_PER_PASS * window > longest:
        window //= 2
    if longest <= window + 1:
        raise CorpusError(
            f"the corpus holds {total} tokens to learn from, too few for a window of {window}; give more data"
        )
    rows = max(1, min(config.rows, total // (STEPS_PER_PASS * window)))
    return replace(config, window=window, rows=rows)
