"""A palette: each pixel becomes the number of the nearest of K colours, as in iGPT (Chen et al. 2020, §3.2).

    encode   t = argmin_k ‖x − c_k‖²         a pixel of 24 bits → one token of log2 K bits (512 colours: 9)
    decode   x̂ = c_t
    fit      k-means over the pixels of a corpus (`training.learners.palette`)

There is a token for each three bytes, with a loss: `tokpress compress --lossy` stores the reconstruction x̂. Encode and
decode compute with integers only. The colours are in tokenizer.json.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, TokenizerError
from ...storage.files import check_settings, parse, read
from ...tokens import TokenBuffer, Tokens
from ..base import Config, in_vocabulary
from ..learned.codebook import nearest
from ..samples import SampleKind, SampleTokenizer
from ..sizes import Units

FILE = "tokenizer.json"
CHANNELS = 3
#: packed token files hold 16 bits a token
MAX_COLOURS = 1 << 16


class PaletteTokenizer(SampleTokenizer):
    """
    >>> palette = PaletteTokenizer(np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8))
    >>> tokens = palette.encode(bytes([10, 10, 10, 200, 30, 0, 255, 255, 250])); tokens
    array([0, 1, 2], dtype=int32)
    >>> list(palette.decode(tokens))
    [0, 0, 0, 255, 0, 0, 255, 255, 255]
    """

    name = "palette"
    lossless = False
    samples = SampleKind(CHANNELS)

    def __init__(self, colours: NDArray[np.uint8]) -> None:
        """colours [K, 3], red, green and blue, each one once. Raises TokenizerError."""
        if colours.ndim != 2 or colours.shape[1] != CHANNELS or not 2 <= len(colours) <= MAX_COLOURS:
            raise TokenizerError(f"a palette is 2 to {MAX_COLOURS:,} colours of {CHANNELS} bytes each")
        if len(np.unique(colours, axis=0)) < len(colours):
            raise TokenizerError("the palette has a colour twice")
        self.colours = colours
        self.vocab_size = len(colours)
        self.sizes = Units(self.vocab_size, unit_bytes=CHANNELS)

    def encode(self, source: bytes) -> Tokens:
        if len(source) % CHANNELS:
            raise TokenizerError(
                f"{len(source):,} bytes are not a whole number of pixels of {CHANNELS} bytes: a palette takes raw pixels"
            )
        pixels = np.frombuffer(source, np.uint8).reshape(-1, CHANNELS)
        different, places = np.unique(pixels, axis=0, return_inverse=True)
        return nearest(different, self.colours)[places.reshape(-1)].astype(np.int32)

    def decode(self, tokens: TokenBuffer) -> bytes:
        return self.colours[in_vocabulary(tokens, self.vocab_size)].tobytes()

    def save(self, folder: Path) -> None:
        written = json.dumps({"colours": self.colours.tolist()})
        (Path(folder) / FILE).write_text(written + "\n", "utf-8", newline="")

    @classmethod
    def load(cls, folder: Path, config: Config) -> "PaletteTokenizer":
        path = Path(folder) / FILE
        check_settings("a palette", config)
        try:
            content = parse(read(path) or b"", path)
            check_settings("a palette", content, {"colours"})
            colours = np.array(content["colours"])
            if colours.dtype != np.int64 or colours.size == 0 or colours.min() < 0 or colours.max() > 255:
                raise ValueError("its colours are not of numbers 0 … 255")
        except (ModelError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise TokenizerError(f"{path} is no palette: {error}") from error
        return cls(colours.astype(np.uint8))
