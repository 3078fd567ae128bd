"""The range coder over binary decisions, one at a time, in Python integers (core: range_coder.h).

    code(bit, one)     `one`: the probability of a one, times 2^24; returns the bit

One class encodes, one decodes (what is given as the bit is ignored), one adds up −log2 p."""

import math

from ...errors import ChecksumError

WHOLE = 1 << 24
#: zero words that are read past the end of a payload before it counts as damaged
BEYOND = 4


class Encoder:
    def __init__(self) -> None:
        self._lower, self._range, self._words = 0, 2**64 - 1, bytearray()

    def code(self, bit: int, one: int) -> int:
        scale = self._range >> 24
        if not bit:
            self._lower += scale * one
        self._range = scale * (one if bit else WHOLE - one)
        self._carry()
        if self._range < 1 << 32:
            self._words += (self._lower >> 32).to_bytes(4, "little")
            self._lower = (self._lower << 32) % 2**64
            self._range <<= 32
        return bit

    def _carry(self) -> None:
        if self._lower < 2**64:
            return
        self._lower -= 2**64
        at = len(self._words)
        while at:  # words are little-endian, the first one is the highest
            at -= 4
            word = (int.from_bytes(self._words[at : at + 4], "little") + 1) % 2**32
            self._words[at : at + 4] = word.to_bytes(4, "little")
            if word:
                return

    def finish(self) -> bytes:
        """The payload: as few bytes as settle the number when zeros follow."""
        if self._words or self._range < 2**64 - 1:
            self._lower += 2**32 - 1
            upper = self._lower - (2**32 - 1) + self._range
            self._carry()
            last = self._lower >> 32
            self._words += last.to_bytes(4, "little")
            if (upper >> 32) % 2**32 == last:
                self._words += bytes(4)
        whole, tail = self._words[:-4], self._words[-4:]
        return bytes(whole + tail.rstrip(b"\0"))


class Decoder:
    def __init__(self, payload: bytes) -> None:
        self._payload, self._next = payload, 8
        self._lower, self._range = 0, 2**64 - 1
        self._point = self._word(0) << 32 | self._word(4)

    def _word(self, at: int) -> int:
        return int.from_bytes(self._payload[at : at + 4].ljust(4, b"\0"), "little")

    def code(self, bit: int, one: int) -> int:
        scale = self._range >> 24
        split = scale * one
        found = int((self._point - self._lower) % 2**64 < split)
        if found:
            self._range = split
        else:
            self._lower = (self._lower + split) % 2**64
            self._range = scale * (WHOLE - one)
        if self._range < 1 << 32:
            self._lower, self._range = (self._lower << 32) % 2**64, self._range << 32
            self._point = (self._point << 32 | self._word(self._next)) % 2**64
            self._next += 4
        return found

    def check(self) -> None:
        """Raises ChecksumError where the payload ended before its samples."""
        if self._next > -(-len(self._payload) // 4) * 4 + 4 * BEYOND:
            raise ChecksumError("the coded words are damaged")


class Scorer:
    """bits: −log2 of the probabilities of what was coded."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, bit: int, one: int) -> int:
        self.bits -= math.log2((one if bit else WHOLE - one) / WHOLE)
        return bit
