"""Encode, decode, score and sample bytes with a `ContextMixing`: one loop over bits (the twin of the core's functions).

The range coder narrows a number in [0, 2^64) bit by bit (Martin 1979; `core/range_coder.h`), with one's interval [0, p):

    scale = range >> 24     split = scale · p     one: range ← split     zero: lower ← lower + split, range ← scale · (2^24 − p)
    when range < 2^32, the top 32 bits of lower are settled: they are written, lower and range move up
"""

from collections.abc import Callable, Iterable

from ...errors import ChecksumError
from .adaptive import ContextMixing
from .contexts import Pixels
from .logistic import CENTRE, LIMIT, clamp, cost_table, squash_table, stretch

TOP = 1 << 64
#: words that a decoder may read past the end
BEYOND = 4


class Encoder:
    def __init__(self) -> None:
        self._lower, self._range = (
            0,
            TOP - 1,
        )  # of the number; `_words` are what is above its 64 bits, a carry may still reach them
        self._words: list[int] = []

    def push(self, bit: int, p: int) -> None:
        """p: of a one, 2^24 being 1."""
        scale = self._range >> 24
        if not bit:
            self._add(scale * p)
        self._range = scale * (p if bit else (1 << 24) - p)
        if self._range < 1 << 32:
            self._words.append(self._lower >> 32)
            self._lower, self._range = self._lower << 32 & TOP - 1, self._range << 32

    def _add(self, amount: int) -> None:
        self._lower += amount
        if self._lower >= TOP:
            self._lower -= TOP
            self._carry()

    def _carry(self) -> None:
        at = len(self._words) - 1
        while at >= 0 and self._words[at] == 0xFFFFFFFF:
            self._words[at] = 0
            at -= 1
        if at >= 0:
            self._words[at] += 1

    def finish(self) -> bytes:
        """Settle the number in as few bytes as may be; a decoder reads zeros past them."""
        if not self._words and self._range == TOP - 1:
            return b""
        end = self._lower + self._range  # before the carry: both are compared by their upper words
        self._add(0xFFFFFFFF)
        last = self._lower >> 32
        self._words.append(last)
        if end >> 32 & 0xFFFFFFFF == last:
            self._words.append(0)
        payload = b"".join(word.to_bytes(4, "little") for word in self._words)
        least = len(payload) - 4
        return payload[:least] + payload[least:].rstrip(b"\0")


class Decoder:
    def __init__(self, payload: bytes) -> None:
        self._payload, self._next = payload, 0
        self._lower, self._range = 0, TOP - 1
        self._point = self._word() << 32
        self._point |= self._word()

    def _word(self) -> int:
        word = int.from_bytes(self._payload[self._next : self._next + 4], "little")
        self._next += 4
        return word

    def pop(self, p: int) -> int:
        scale = self._range >> 24
        split = scale * p
        bit = int((self._point - self._lower) % TOP < split)
        if bit:
            self._range = split
        else:
            self._lower = (self._lower + split) % TOP
            self._range = scale * ((1 << 24) - p)
        if self._range < 1 << 32:
            self._lower, self._range = self._lower << 32 & TOP - 1, self._range << 32
            self._point = (self._point << 32 | self._word()) & TOP - 1
        return bit

    def is_over(self) -> bool:
        """Whether more has been read than an encoder can have left out."""
        return self._next > (len(self._payload) + 3) // 4 * 4 + 4 * BEYOND


def _bits(source: Iterable[int]) -> Iterable[int]:
    return (byte >> (7 - k) & 1 for byte in source for k in range(8))


#: hears the number of bytes done
Progress = Callable[[int], None]


def silent(done: int) -> None:
    """The default."""


def encode(source: bytes, pixels: Pixels | None = None, progress: Progress = silent) -> bytes:
    """The payload."""
    model, encoder = ContextMixing(len(source), pixels), Encoder()
    for byte in source:
        for bit in _bits([byte]):
            encoder.push(bit, model.p() << 8)
            model.update(bit)
        progress(len(model.history))
    return encoder.finish()


def decode(
    payload: bytes, n: int, pixels: Pixels | None = None, progress: Progress = silent, out: bytearray | None = None
) -> bytearray:
    """All n bytes, also written to `out` as they come. Raises ChecksumError where the payload ends too early; other damage gives
    other bytes."""
    model, decoder = ContextMixing(n, pixels), Decoder(bytes(payload))
    for _ in range(n):
        for _ in range(8):
            model.update(decoder.pop(model.p() << 8))
        if decoder.is_over():
            raise ChecksumError("the coded words are damaged")
        if out is not None:
            out[len(model.history) - 1] = model.history[-1]
        progress(len(model.history))
    return model.history


def score(source: bytes, pixels: Pixels | None = None, progress: Progress = silent) -> list[int]:
    """Units of 2^-20 bits that each byte costs."""
    model, costs = ContextMixing(len(source), pixels), []
    for byte in source:
        cost = 0
        for bit in _bits([byte]):
            p = model.p()
            cost += cost_table()[p if bit else 65536 - p]
            model.update(bit)
        costs.append(cost)
        progress(len(costs))
    return costs


def sharpened(p: int, sharpness: int) -> int:
    """p · 2^16 at another temperature, sharpness being 2^16 / temperature."""
    if sharpness == 65536:
        return p
    return squash_table()[clamp(2 * stretch(p << 6) * sharpness >> 16, -LIMIT, LIMIT) + CENTRE]


def sample(
    n: int, prefix: bytes, uniform: Callable[[], int], sharpness: int = 65536, pixels: Pixels | None = None
) -> bytearray:
    """n bytes that begin with the prefix. uniform(): a random uint32."""
    model = ContextMixing(n, pixels)
    for bit in _bits(prefix):
        model.p()
        model.update(bit)
    for _ in range(8 * (n - len(prefix))):
        model.update(int(uniform() >> 16 < sharpened(model.p(), sharpness)))
    return model.history
