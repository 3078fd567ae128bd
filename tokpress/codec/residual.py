"""Lossless frames of a lossy tokenizer: the tokens, then the residual, which is the difference from their reconstruction.

    ŝ = decode(tokens),     r = s − ŝ  (mod 2^bits),     p(s) = p(tokens) · Π_i p(r_i | r_<i)

The reconstruction is the same on every machine, to the bit (`tokenizers.learned.autoencoder`), so the difference restores the source.
The shipped model `linear-prediction` codes the difference, on the grid of the source. The file is larger than one in which
`linear-prediction` codes the samples directly (docs/tokenizers.md has the sizes).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..container.varint import pack_varint, take_varint
from ..errors import ChecksumError
from ..lazy import np
from ..media.grid import Grid
from ..tokenizers.samples import for_grid, samples_of

if TYPE_CHECKING:
    from ..models.model import Model


def _samples(data: bytes, sound: bool) -> np.ndarray:
    return np.frombuffer(data, "<i2" if sound else "u1")


def difference(source: bytes, restored: bytes, sound: bool) -> bytes:
    """s − ŝ, modulo 2^bits. 128 is added to differences of pixels, so that small ones lie in the middle of 0 … 255.

    >>> list(difference(bytes([3, 200]), bytes([5, 200]), sound=False))
    [126, 128]
    """
    s, made = _samples(source, sound), _samples(restored, sound)
    return (s - made if sound else s - made + np.uint8(128)).tobytes()


def added(restored: bytes, rest: bytes, sound: bool) -> bytes:
    """The reverse of `difference`."""
    made, r = _samples(restored, sound), _samples(rest, sound)
    return (made + r if sound else made + r - np.uint8(128)).tobytes()


def of_items(model: Model, length: int) -> Grid:
    """The grid of items without one: items one after the other, as one picture or recording."""
    kind = samples_of(model.tokenizer)
    columns = length // (2 * kind.channels) if kind.sound else kind.sides[-1]
    rows = 1 if kind.sound else length // (columns * kind.channels)
    return Grid(not kind.sound, 0, rows, columns, kind.channels, kind.bits, signed=kind.sound, little=kind.sound)


def encode(
    model: Model,
    residual_model: Model,
    source: bytes,
    lanes: int | None,
    report: Callable[[float], None],
    grid: Grid | None,
    kernel: str = "auto",
) -> tuple[bytes, int, int]:
    """(payload, tokens, lanes), as `Model.encode`. The payload is the length of the lossy model's payload, this payload, then the
    payload of the residual model."""
    tokenizer = for_grid(model.tokenizer, grid)
    tokens = tokenizer.encode(source)
    rest = difference(source, tokenizer.decode(tokens), samples_of(model.tokenizer).sound)
    lossy, count, lanes = model.encode(source, lanes, lambda share: report(share / 2), grid, tokens, kernel)
    layout = grid.stacked if grid else of_items(model, len(source))
    after, _, _ = residual_model.encode(rest, None, lambda share: report(0.5 + share / 2), layout, None, kernel)
    return pack_varint(len(lossy)) + lossy + after, count, lanes


def decode(
    model: Model,
    residual_model: Model,
    payload: bytes,
    tokens: int,
    lanes: int,
    report: Callable[[float], None],
    length: int,
    kernel: str = "auto",
) -> bytes:
    """The source, `length` bytes: reconstruction plus residual. Raises ChecksumError."""
    stream = io.BytesIO(payload)

    def take(count: int) -> bytes:
        if len(data := stream.read(count)) < count:
            raise ChecksumError("the payload ends within its tokens")
        return data

    lossy = take(take_varint(take, "residual frame"))
    restored = model.decode(lossy, tokens, lanes, lambda share: report(share / 2), length, kernel)
    count = length // residual_model.tokenizer.sizes.unit_bytes * residual_model.tokenizer.sizes.unit_tokens
    rest = residual_model.decode(stream.read(), count, None, lambda share: report(0.5 + share / 2), length, kernel)
    return added(restored, rest, samples_of(model.tokenizer).sound)
