"""Binary decisions through the range coder.

    code(bit, one)     `one`: the probability of a one, times 2^24; returns the bit

One class encodes, one decodes (and ignores `bit`), one adds up −log2 p. A one has the lower part of the range."""

import math

from ...coding.coders.intervals import WHOLE
from ...coding.coders.range_coder import RangeDecoder, RangeEncoder


class Encoder:
    def __init__(self) -> None:
        self._coder = RangeEncoder()

    def code(self, bit: int, one: int) -> int:
        self._coder.push_bit(bit, one)
        return bit

    def finish(self) -> bytes:
        return self._coder.finish()


class Decoder:
    """Raises ChecksumError where the payload ends before its samples."""

    def __init__(self, payload: bytes) -> None:
        self._coder = RangeDecoder(payload)

    def code(self, bit: int, one: int) -> int:
        return self._coder.pop_bit(one)


class Scorer:
    """bits: −log2 of the probabilities of what was coded."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, bit: int, one: int) -> int:
        self.bits -= math.log2((one if bit else WHOLE - one) / WHOLE)
        return bit
