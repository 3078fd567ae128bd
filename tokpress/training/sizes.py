"""How the vocabulary and a step shrink with the corpus: a preset is never too large for the data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from .data.corpus import read_chunks
from .data.streams import Source
from .options import FitConfig

#: a symbol must be learned from somewhere: one new one for so many bytes of corpus
BYTES_PER_SYMBOL = 64
#: a step shall see at most this part of the corpus
STEPS_PER_PASS = 16
LEAST_WINDOW = 16


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
