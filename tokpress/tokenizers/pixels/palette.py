"""A palette: each pixel becomes the number of the nearest of K colours, as in iGPT (Chen et al. 2020, §3.2).

    encode   t = argmin_k ‖x − c_k‖²         a pixel of 24 bits → one token of log2 K bits (512 colours: 9)
    decode   x̂ = c_t
    fit      k-means over the pixels of a corpus: c_k = mean of the pixels that are nearest to it, until they stay
             (Lloyd 1982), begun with k-means++ (Arthur & Vassilvitskii 2007)

Three times fewer tokens than bytes, and a loss: x̂ is the reconstruction, and what `tokpress compress --lossy` stores. All
arithmetic of encode and decode is of integers. The colours are in tokenizer.json.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, TokenizerError
from ...storage.files import check_settings, parse, read
from ...tokens import TokenBuffer, Tokens, as_array
from ..base import Config, Tokenizer
from ..learned.codebook import nearest

if TYPE_CHECKING:
    from ...training.options import TokenizerOptions

FILE = "tokenizer.json"
CHANNELS = 3
#: packed token files hold 16 bits a token
MAX_COLOURS = 1 << 16
#: of the corpus, to find colours in; a chunk holds whole pixels
SAMPLE_BYTES = 3 << 20
CHUNK_BYTES = 3 << 12
ROUNDS = 40


class PaletteTokenizer(Tokenizer):
    """
    >>> palette = PaletteTokenizer(np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8))
    >>> tokens = palette.encode(bytes([10, 10, 10, 200, 30, 0, 255, 255, 250])); tokens
    array([0, 1, 2], dtype=int32)
    >>> list(palette.decode(tokens))
    [0, 0, 0, 255, 0, 0, 255, 255, 255]
    """

    name = "palette"
    lossless = False
    learns = True
    least_symbols = 2
    unit_bytes = channels = CHANNELS

    def __init__(self, colours: NDArray[np.uint8]) -> None:
        """colours [K, 3], red, green and blue, each one once. Raises TokenizerError."""
        if colours.ndim != 2 or colours.shape[1] != CHANNELS or not 2 <= len(colours) <= MAX_COLOURS:
            raise TokenizerError(f"a palette is 2 to {MAX_COLOURS:,} colours of {CHANNELS} bytes each")
        if len(np.unique(colours, axis=0)) < len(colours):
            raise TokenizerError("a colour is twice in the palette")
        self.colours = colours
        self.vocab_size = len(colours)

    def encode(self, source: bytes) -> Tokens:
        if len(source) % CHANNELS:
            raise TokenizerError(
                f"{len(source):,} bytes are no whole number of pixels of {CHANNELS} bytes: a palette takes raw pixels"
            )
        pixels = np.frombuffer(source, np.uint8).reshape(-1, CHANNELS)
        different, places = np.unique(pixels, axis=0, return_inverse=True)
        return nearest(different, self.colours)[places.reshape(-1)].astype(np.int32)

    def decode(self, tokens: TokenBuffer) -> bytes:
        tokens = as_array(tokens)
        if len(tokens) and (int(tokens.min()) < 0 or int(tokens.max()) >= self.vocab_size):
            raise TokenizerError(f"a token lies outside 0 … {self.vocab_size - 1}")
        return self.colours[tokens].tobytes()

    def token_bytes(self) -> np.ndarray:
        return np.full(self.vocab_size, CHANNELS, np.int64)

    def save(self, folder: Path) -> None:
        written = json.dumps({"colours": self.colours.tolist()})
        (Path(folder) / FILE).write_text(written + "\n", "utf-8", newline="")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "PaletteTokenizer":
        path = Path(folder) / FILE
        check_settings("a palette", config)
        try:
            whole = parse(read(path) or b"", path)
            check_settings("a palette", whole, {"colours"})
            colours = np.array(whole["colours"])
            if colours.dtype != np.int64 or colours.size == 0 or colours.min() < 0 or colours.max() > 255:
                raise ValueError("its colours are not of numbers 0 … 255")
        except (ModelError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise TokenizerError(f"{path} is no palette: {error}") from error
        return cls(colours.astype(np.uint8))

    @classmethod
    def fit(cls, paths: Sequence[Path], options: "TokenizerOptions") -> "PaletteTokenizer":
        from ...training.data.corpus import sample

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
