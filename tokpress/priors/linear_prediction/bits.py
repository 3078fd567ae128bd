"""Binary decisions through the range coder.

    code(bit, p)     p: the probability of a one, times 2^24; returns the bit

`Encoder` encodes bits. `Decoder` ignores `bit` and decodes one. `Scorer` adds up −log2 p. A one has the lower part of the range."""

import math
from typing import Protocol

from ...coding.coders.intervals import WHOLE
from ...coding.coders.range_coder import RangeDecoder, RangeEncoder


class BitCoder(Protocol):
    """What `Encoder`, `Decoder` and `Scorer` have in common."""

    def code(self, bit: int, p: int) -> int: ...


class Encoder:
    def __init__(self) -> None:
        self._coder = RangeEncoder()

    def code(self, bit: int, p: int) -> int:
        self._coder.push_bit(bit, p)
        return bit

    def finish(self) -> bytes:
        return self._coder.finish()


class Decoder:
    """Raises ChecksumError where the payload ends before the last sample."""

    def __init__(self, payload: bytes) -> None:
        self._coder = RangeDecoder(payload)

    def code(self, bit: int, p: int) -> int:
        return self._coder.pop_bit(p)


class Scorer:
    """bits: −log2 of the probabilities of what was coded."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, bit: int, p: int) -> int:
        self.bits -= math.log2((p if bit else WHOLE - p) / WHOLE)
        return bit
