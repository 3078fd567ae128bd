"""`Bits`: the cost of coding, as `Model.score` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Bits:
    """The cost of coding: bits [N] float64 of N entries, and the source bytes [N] of each. An entry is a token, or a unit of
    `unit_tokens` tokens."""

    bits: np.ndarray
    lengths: np.ndarray
    #: tokens of each entry
    unit_tokens: int = 1

    @property
    def total_bits(self) -> float:
        return float(self.bits.sum())

    @property
    def source_bytes(self) -> int:
        return int(self.lengths.sum())

    @property
    def tokens(self) -> int:
        return len(self.bits) * self.unit_tokens

    @property
    def bits_per_byte(self) -> float:
        return self.total_bits / max(self.source_bytes, 1)

    def _repr_html_(self) -> str:
        from . import html  # for notebooks only

        facts = {
            "bits": f"{self.total_bits:,.1f}", "source": f"{self.source_bytes:,} bytes", "bits per byte": f"{self.bits_per_byte:.3f}",
            "tokens": f"{self.tokens:,}", "bits per token": f"{self.total_bits / max(self.tokens, 1):.3f}",
        }  # fmt: skip
        return html.table("Bits", facts) + html.strip(self.bits)
