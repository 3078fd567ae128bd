"""Encode, decode, score and sample bytes with a `ContextMixing`: one loop over bits (the twin of the functions of the core)."""

from collections.abc import Callable, Iterable

from ...coding.coders.range_coder import RangeDecoder, RangeEncoder
from .byte_model import ContextMixing
from .contexts import Pixels
from .logistic import CENTRE, LIMIT, clamp, cost_table, squash_table, stretch


def _bits(source: Iterable[int]) -> Iterable[int]:
    return (byte >> (7 - k) & 1 for byte in source for k in range(8))


#: called with the number of bytes done
Progress = Callable[[int], None]


def silent(done: int) -> None:
    """The default progress."""


def after(context: bytes, n: int, pixels: Pixels | None = None) -> ContextMixing:
    """A model of n bytes that has read the first of them, which both sides know."""
    model = ContextMixing(n, pixels)
    for bit in _bits(context):
        model.p()
        model.update(bit)
    return model


def encode(
    source: bytes, pixels: Pixels | None = None, progress: Progress = silent, model: ContextMixing | None = None
) -> bytes:
    """The payload. model: one that has read a context (`after`)."""
    model = model or ContextMixing(len(source), pixels)
    encoder, first = RangeEncoder(), len(model.history)
    for byte in source:
        for bit in _bits([byte]):
            encoder.push_bit(bit, model.p() << 8)
            model.update(bit)
        progress(len(model.history) - first)
    return encoder.finish()


def decode(
    payload: bytes,
    n: int,
    pixels: Pixels | None = None,
    progress: Progress = silent,
    out: bytearray | None = None,
    model: ContextMixing | None = None,
) -> bytearray:
    """All n bytes, also written to `out` one by one. model: one that has read a context (`after`). Raises ChecksumError where the payload
    ends too early; other damage gives other bytes."""
    model = model or ContextMixing(n, pixels)
    decoder, first = RangeDecoder(payload), len(model.history)
    for at in range(n):
        for _ in range(8):
            model.update(decoder.pop_bit(model.p() << 8))
        if out is not None:
            out[at] = model.history[-1]
        progress(at + 1)
    return model.history[first:]


def score(
    source: bytes, pixels: Pixels | None = None, progress: Progress = silent, model: ContextMixing | None = None
) -> list[int]:
    """Cost of each byte, in 2^-20 bits. model: one that has read a context (`after`)."""
    model = model or ContextMixing(len(source), pixels)
    costs: list[int] = []
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
    model = after(prefix, n, pixels)
    for _ in range(8 * (n - len(prefix))):
        model.update(int(uniform() >> 16 < sharpened(model.p(), sharpness)))
    return model.history
