"""Learn a palette: k-means over the pixels of a corpus.

c_k = mean of the pixels whose nearest centre is c_k, until no centre moves       (Lloyd 1982)
first centres by k-means++                                                        (Arthur & Vassilvitskii 2007)
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

#: sample of the corpus, and its chunks; both hold whole pixels
SAMPLE_BYTES = 3 << 20
CHUNK_BYTES = 3 << 12
#: most rounds of k-means
ROUNDS = 40


def fit_palette(cls: type[PaletteTokenizer], paths: Sequence[Path], options: TokenizerOptions) -> PaletteTokenizer:
    """A palette of `options.vocab_size` colours; fewer where the corpus has fewer."""
    chunks = sample(paths, SAMPLE_BYTES, options.config.seed, options.weights, CHUNK_BYTES)
    pixels = np.concatenate([
        np.frombuffer(chunk[: len(chunk) // CHANNELS * CHANNELS], np.uint8).reshape(-1, CHANNELS) for chunk in chunks
    ])  # fmt: skip
    distinct, counts = np.unique(pixels, axis=0, return_counts=True)
    if len(distinct) < 2:
        raise TokenizerError(
            f"the corpus has {len(distinct)} different pixels of {CHANNELS} bytes; a palette needs two"
        )
    colours = min(options.vocab_size, len(distinct), MAX_COLOURS)
    return cls(k_means(distinct, counts, colours, options.config.seed, options.report))


def k_means(
    pixels: NDArray[np.uint8], counts: np.ndarray, colours: int, seed: int, report: Callable[[int, int], None]
) -> NDArray[np.uint8]:
    """Distinct pixels [N, 3] and their counts [N] → at most `colours` distinct colours, sorted."""
    rng = np.random.default_rng(seed)
    points, mass = pixels.astype(np.float64), counts.astype(np.float64)
    centres = _first_centres(points, mass, colours, rng)
    total_bytes = int(counts.sum()) * CHANNELS
    for done in range(ROUNDS):
        label = nearest(points, centres)
        total = np.bincount(label, mass, colours).astype(np.float64)
        sums = np.stack([np.bincount(label, mass * points[:, c], colours) for c in range(CHANNELS)], 1)
        moved = np.where(total[:, None] > 0, sums / np.maximum(total, 1.0)[:, None], centres)
        report(total_bytes * (done + 1) // ROUNDS, total_bytes)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.unique(np.round(centres).astype(np.uint8), axis=0)


def _first_centres(
    points: NDArray[np.float64], mass: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """k-means++: each centre is a point, drawn in proportion to mass × squared distance to the centres before."""
    centres: NDArray[np.float64] = points[rng.choice(len(points), 1, p=mass / mass.sum())]
    distance = ((points - centres[0]) ** 2).sum(1)
    while len(centres) < count:
        chance = mass * distance
        new = points[rng.choice(len(points), p=chance / chance.sum())]
        centres = np.vstack([centres, new])
        distance = np.minimum(distance, ((points - new) ** 2).sum(1))
    return centres
