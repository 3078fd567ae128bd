"""Distortion of a reconstruction: PSNR for pixels, SNR for sound."""

import math
from dataclasses import dataclass

from ..container.varint import PIECE
from ..lazy import np


@dataclass(frozen=True)
class Distortion:
    """Σ (s − ŝ)² and Σ s² of so many samples, pixels of a byte (0 … 255) or sound of 16 bits."""

    error: int = 0
    signal: int = 0
    samples: int = 0
    sound: bool = False

    @classmethod
    def of(cls, source: bytes, restored: bytes, sound: bool) -> "Distortion":
        both, found = [np.frombuffer(each, "<i2" if sound else "u1") for each in (source, restored)], cls(sound=sound)
        for at in range(0, len(both[0]), PIECE):  # eight bytes a sample
            s, made = (each[at : at + PIECE].astype(np.int64) for each in both)
            found += cls(int(((s - made) ** 2).sum()), int((s * s).sum()), len(s), sound)
        return found

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
