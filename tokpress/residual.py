"""Lossless files over a lossy tokenizer: after the tokens, what their reconstruction lacks.

    r = s − ŝ  (mod 2^bits, around the middle),     p(s) = p(tokens)·p(r | what of r came before),   ŝ = decode(tokens)

The reconstruction is the same bits on every machine (`tokenizers.autoencoder`), so the difference restores the source. It is
coded by the shipped prior over samples, on the grid of the source: where a tokenizer leaves noise, that is all there is to
gain; what it does not beat is coding the samples directly (docs/tokenizers.md says by how much).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from . import store
from .errors import ChecksumError
from .grid import Grid

if TYPE_CHECKING:
    from .model import Model

#: of the token stream's length
LENGTH_BYTES = 4


def _samples(data: bytes, sound: bool) -> np.ndarray:
    return np.frombuffer(data, "<i2" if sound else "u1")


def difference(source: bytes, restored: bytes, sound: bool) -> bytes:
    """s − ŝ, of pixels around 128, of sound around 0, wrapped.

    >>> list(difference(bytes([3, 200]), bytes([5, 200]), sound=False))
    [126, 128]
    """
    s, made = _samples(source, sound), _samples(restored, sound)
    return (s - made if sound else s - made + np.uint8(128)).tobytes()


def added(restored: bytes, rest: bytes, sound: bool) -> bytes:
    """The reverse of `difference`."""
    made, r = _samples(restored, sound), _samples(rest, sound)
    return (made + r if sound else made + r - np.uint8(128)).tobytes()


def of_items(model: "Model", length: int) -> Grid:
    """Items one after the other, as one picture or recording."""
    tokenizer = model.tokenizer
    *sides, channels = tokenizer.sample_shape
    rows, columns = (1, length // (2 * channels)) if tokenizer.sound else (length // (sides[-1] * channels), sides[-1])
    bits = 16 if tokenizer.sound else 8
    return Grid(not tokenizer.sound, 0, rows, columns, channels, bits, signed=tokenizer.sound, little=tokenizer.sound)


def encode(
    model: "Model", source: bytes, lanes: int | None, report: Callable[[float], None], grid: Grid | None
) -> tuple[bytes, int, int]:
    """(payload, tokens, lanes), as `Model.encode`, of a payload that restores the source itself."""
    tokenizer = model.tokenizer.on(grid) if grid else model.tokenizer
    tokens = tokenizer.encode(source)
    rest = difference(source, tokenizer.decode(tokens), model.tokenizer.sound)
    lossy, count, lanes = model.encode(source, lanes, lambda share: report(share / 2), grid, tokens)
    after, _, _ = store.load("samples").encode(
        rest, None, lambda share: report(0.5 + share / 2), grid.stacked if grid else of_items(model, len(source))
    )
    head = 1 + lossy[0]
    stream = lossy[head:]
    whole = bytes([lossy[0] | 0x80]) + lossy[1:head] + len(stream).to_bytes(LENGTH_BYTES, "little") + stream + after
    return whole, count, lanes


def split(payload: bytes) -> tuple[bytes, bytes]:
    """(the token stream, the rest) of what stands behind the grid. Raises ChecksumError."""
    size = int.from_bytes(payload[:LENGTH_BYTES], "little")
    if len(payload) < LENGTH_BYTES + size:
        raise ChecksumError("the payload ends within its tokens")
    return payload[LENGTH_BYTES : LENGTH_BYTES + size], payload[LENGTH_BYTES + size :]


def restore(model: "Model", restored: bytes, after: bytes) -> bytes:
    """The source from its reconstruction and what stands behind the tokens. Raises ChecksumError."""
    rest = store.load("samples").decode(after, 2 * len(restored), length=len(restored))
    return added(restored, rest, model.tokenizer.sound)
