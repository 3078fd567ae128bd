"""Learn a palette: k-means over the pixels of a corpus.

c_k = mean of the pixels that are nearest to it, until they stay       (Lloyd 1982)
begun with k-means++                                                   (Arthur & Vassilvitskii 2007)
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import TokenizerError
from ...tokenizers.learned.codebook import nearest
from ...tokenizers.pixels.palette import CHANNELS, MAX_COLOURS, PaletteTokenizer
from ..data.corpus import sample
from ..options import TokenizerOptions

#: of the corpus, to find colours in; a chunk holds whole pixels
SAMPLE_BYTES = 3 << 20
CHUNK_BYTES = 3 << 12
ROUNDS = 40


def fit_palette(cls: type[PaletteTokenizer], paths: Sequence[Path], options: TokenizerOptions) -> PaletteTokenizer:
    """A palette of `options.vocab_size` colours, or fewer where the corpus has fewer."""
    chunks = sample(paths, SAMPLE_BYTES, options.config.seed, options.weights, CHUNK_BYTES)
    pixels = np.concatenate([
        np.frombuffer(chunk[: len(chunk) // CHANNELS * CHANNELS], np.uint8).reshape(-1, CHANNELS) for chunk in chunks
    ])  # fmt: skip
    different, counts = np.unique(pixels, axis=0, return_counts=True)
    if len(different) < 2:
        raise TokenizerError(
            f"the corpus has {len(different)} different pixels of {CHANNELS} bytes; a palette needs two"
        )
    colours = min(options.vocab_size, len(different), MAX_COLOURS)
    return cls(k_means(different, counts, colours, options.config.seed, options.report))


def k_means(
    pixels: NDArray[np.uint8], counts: np.ndarray, colours: int, seed: int, report: Callable[[int, int], None]
) -> NDArray[np.uint8]:
    """Different pixels [N, 3] and how often each comes → so many different colours, or fewer, sorted."""
    rng = np.random.default_rng(seed)
    points, mass = pixels.astype(np.float64), counts.astype(np.float64)
    centres: NDArray[np.float64] = points[rng.choice(len(points), 1, p=mass / mass.sum())]
    away = ((points - centres[0]) ** 2).sum(1)
    while len(centres) < colours:  # k-means++: the next one is far from those there are
        chance = mass * away
        new = points[rng.choice(len(points), p=chance / chance.sum())]
        centres = np.vstack([centres, new])
        away = np.minimum(away, ((points - new) ** 2).sum(1))
    whole = int(counts.sum()) * CHANNELS  # progress is told in bytes
    for done in range(ROUNDS):
        label = nearest(points, centres)
        total = np.bincount(label, mass, colours).astype(np.float64)
        sums = np.stack([np.bincount(label, mass * points[:, c], colours) for c in range(CHANNELS)], 1)
        moved = np.where(total[:, None] > 0, sums / np.maximum(total, 1.0)[:, None], centres)
        report(whole * (done + 1) // ROUNDS, whole)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.unique(np.round(centres).astype(np.uint8), axis=0)
