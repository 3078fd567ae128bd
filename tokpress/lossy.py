"""Files whose pixels or sound are stored as the tokens of a lossy tokenizer: `tokpress compress --lossy`.

Such a file restores a reconstruction, decode(encode(source)), which is the same on every machine and is what its checksums
are of. What stands around the samples of a PPM, PGM or WAV file is stored as it is, in frames of its own.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from . import content
from .choice import UNKNOWN, Coded, Options, Report, choose_frame, encode
from .container import MOST_TOKENS
from .errors import TokpressError
from .model import Model


@dataclass(frozen=True)
class Distortion:
    """Σ (s − ŝ)² and Σ s² of so many samples, pixels of a byte (0 … 255) or sound of 16 bits."""

    error: int = 0
    signal: int = 0
    samples: int = 0
    sound: bool = False

    @classmethod
    def of(cls, source: bytes, restored: bytes, sound: bool) -> "Distortion":
        s, made = (np.frombuffer(each, "<i2" if sound else "u1").astype(np.int64) for each in (source, restored))
        return cls(int(((s - made) ** 2).sum()), int((s * s).sum()), len(s), sound)

    def __add__(self, other: "Distortion") -> "Distortion":
        both = self.error + other.error, self.signal + other.signal, self.samples + other.samples
        return Distortion(*both, self.sound or other.sound)

    @property
    def decibels(self) -> float:
        """PSNR of pixels, 10 log10(255² / mean squared error); SNR of sound, 10 log10(Σ s² / Σ (s − ŝ)²)."""
        if not self.error:
            return math.inf
        return 10 * math.log10(max(self.signal, 1) / self.error if self.sound else 255**2 * self.samples / self.error)

    def __str__(self) -> str:
        return f"{'SNR' if self.sound else 'PSNR'} {self.decibels:.2f} dB"


def coded_pieces(block: bytes, options: Options, report: Report, first: bool) -> list[tuple[bytes, Coded]]:
    """The frames of a block, each with its part of the source. first: whether the source begins here.

    Raises TokpressError where it is a file of samples that this tokenizer is not for."""
    assert options.models is not None
    (model,) = options.models
    start, stop, grid = 0, len(block), None
    if first and (found := content.find(block, UNKNOWN)):
        sound = found.kind == "sound"
        plain = found.dtype == ("<i2" if sound else "|u1") and not found.padding and not found.blue_first
        if not plain or not _suits(model, found.shape[-1], sound):
            raise TokpressError(
                f"the tokenizer {model.tokenizer.name!r} takes other samples than these; --lossy takes pixels of a byte a "
                "channel, raw or in a PPM or PGM file, and sound of 16 bits, raw or in a WAV file"
            )
        if found.stop > len(block):
            raise TokpressError("--lossy takes a whole file, in one frame: it is cut off, or longer than --frame-size")
        start, stop = found.start, found.stop
        grid = replace(grid, start=0) if (grid := found.grid()) else None
    samples = block[start:stop]
    tokenizer = model.tokenizer.on(grid) if grid else model.tokenizer
    tokens = tokenizer.encode(samples)
    around = Options(kernel=options.kernel)
    restored = tokenizer.decode(tokens)
    lossy = encode(model, samples, options, report, grid, tokens)
    if len(lossy.payload) >= len(samples) or len(tokens) > MOST_TOKENS * len(samples):
        # a few samples filled up to a whole item
        restored, lossy = samples, choose_frame(samples, around, report)
    lost = Distortion.of(samples, restored, model.tokenizer.sound)
    lossy = replace(lossy, restores=restored, distortion=lost)
    pieces = [(part, choose_frame(part, around, lambda done: None)) for part in (block[:start], block[stop:])]
    return [piece for piece in (pieces[0], (samples, lossy), pieces[1]) if piece[0]]


def _suits(model: Model, channels: int, sound: bool) -> bool:
    """Whether its tokenizer is for such samples; one that is told where they are says so itself."""
    tokenizer = model.tokenizer
    return tokenizer.sound == sound and (tokenizer.wants_grid or tokenizer.unit_bytes == channels)
