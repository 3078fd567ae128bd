"""Smaller vocabularies and steps for small corpora."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from .data.corpus import read_chunks
from .data.streams import Source
from .options import FitConfig

#: bytes of corpus needed for each symbol beyond the 256 bytes
BYTES_PER_SYMBOL = 64
#: least number of steps in a pass over the corpus
STEPS_PER_PASS = 16
LEAST_WINDOW = 16


def vocabulary_for(paths: Sequence[Path], asked: int) -> int:
    """The largest vocabulary, up to `asked`, for a corpus of this size: 256 bytes, and a symbol per BYTES_PER_SYMBOL.

    Reads (and decompresses) no more of the corpus than `asked` needs."""
    enough, size = BYTES_PER_SYMBOL * (asked - 256), 0
    for path in paths:
        for chunk in read_chunks(path):
            size += len(chunk)
            if size >= enough:
                return asked
    return min(asked, 256 + size // BYTES_PER_SYMBOL)


def shrunk(config: FitConfig, sources: Sequence[Source]) -> FitConfig:
    """`config` with fewer rows and a shorter window if the corpus is small, so that a pass has at least STEPS_PER_PASS steps.

    Raises CorpusError if the corpus is too small for any window."""
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
