"""Lossless files over a lossy tokenizer: the tokens, then the residual of their reconstruction.

    r = s − ŝ  (mod 2^bits, around the middle),     p(s) = p(tokens)·∏ p(r_t | r_<t),   ŝ = decode(tokens)

The reconstruction has the same bits on every machine (`tokenizers.learned.autoencoder`), so the residual restores the source. A second
model, over samples, codes it on the grid of the source. Coding the samples directly takes fewer bytes (docs/tokenizers.md has the
figures).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..container.varint import pack_varint, take_varint
from ..errors import ChecksumError
from ..lazy import np
from ..media.grid import Grid
from ..tokenizers.samples import for_grid, samples_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..models.model import Model


def _samples(data: bytes, sound: bool) -> NDArray[Any]:
    return np.frombuffer(data, "<i2" if sound else "u1")


def difference(source: bytes, restored: bytes, sound: bool) -> bytes:
    """s − ŝ, modulo 2^bits. 128 is added to differences of pixels, so that small ones lie in the middle of 0 … 255.

    >>> list(difference(bytes([3, 200]), bytes([5, 200]), sound=False))
    [126, 128]
    """
    s, s_hat = _samples(source, sound), _samples(restored, sound)
    data: bytes = (s - s_hat if sound else s - s_hat + np.uint8(128)).tobytes()
    return data


def added(restored: bytes, residual: bytes, sound: bool) -> bytes:
    """The reverse of `difference`."""
    s_hat, r = _samples(restored, sound), _samples(residual, sound)
    data: bytes = (s_hat + r if sound else s_hat + r - np.uint8(128)).tobytes()
    return data


def items_grid(model: Model, length: int) -> Grid:
    """The grid of items one after another, as one picture or recording."""
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
    """(payload, tokens, lanes) as from `Model.encode`. The payload restores the source: it is the length of the lossy model's payload,
    that payload, and the residual model's."""
    tokenizer = for_grid(model.tokenizer, grid)
    tokens = tokenizer.encode(source)
    residual = difference(source, tokenizer.decode(tokens), samples_of(model.tokenizer).sound)
    lossy, count, lanes = model.encode(source, lanes, lambda share: report(share / 2), grid, tokens, kernel)
    layout = grid.stacked if grid else items_grid(model, len(source))
    lossless, _, _ = residual_model.encode(residual, None, lambda share: report(0.5 + share / 2), layout, None, kernel)
    return pack_varint(len(lossy)) + lossy + lossless, count, lanes


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
    residual = residual_model.decode(stream.read(), count, None, lambda share: report(0.5 + share / 2), length, kernel)
    return added(restored, residual, samples_of(model.tokenizer).sound)
