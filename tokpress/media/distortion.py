"""Distortion of a reconstruction: PSNR for pixels, SNR for sound."""

import math
from dataclasses import dataclass

from ..container.varint import PIECE
from ..lazy import np


@dataclass(frozen=True)
class Distortion:
    """Σ (s − ŝ)² and Σ s² over a number of samples: pixels of 8 bits or sound of 16 bits."""

    error: int = 0
    signal: int = 0
    samples: int = 0
    sound: bool = False

    @classmethod
    def between(cls, source: bytes, restored: bytes, sound: bool) -> "Distortion":
        """The distortion of a reconstruction."""
        signals = [np.frombuffer(data, "<i2" if sound else "u1") for data in (source, restored)]
        total = cls(sound=sound)
        for at in range(0, len(signals[0]), PIECE):  # int64: eight bytes per sample
            s, s_hat = (signal[at : at + PIECE].astype(np.int64) for signal in signals)
            total += cls(int(((s - s_hat) ** 2).sum()), int((s * s).sum()), len(s), sound)
        return total

    def __add__(self, other: "Distortion") -> "Distortion":
        sums = self.error + other.error, self.signal + other.signal, self.samples + other.samples
        return Distortion(*sums, self.sound or other.sound)

    @property
    def decibels(self) -> float:
        """PSNR of pixels, 10 log10(255² / mean squared error); SNR of sound, 10 log10(Σ s² / Σ (s − ŝ)²)."""
        if not self.error:
            return math.inf
        return 10 * math.log10(max(self.signal, 1) / self.error if self.sound else 255**2 * self.samples / self.error)

    def __str__(self) -> str:
        return f"{'SNR' if self.sound else 'PSNR'} {self.decibels:.2f} dB"
