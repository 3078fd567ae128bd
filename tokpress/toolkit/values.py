"""Text, arrays and pictures as the bytes that a tokenizer takes, and back. No tokenizer knows of these.

    str            UTF-8; not for tokenizers of samples
    bytes          as they are
    array          of the type and axes of the tokenizer's samples; for other tokenizers, the bytes of an array in C order
    PIL image      its pixels, in the channels of the tokenizer

A tokenizer of samples takes an array of one source [extent …, channels], cut into items where it has items, or an array of items
[N, sides …, channels]. The axis of the channels may be left out where there is one channel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import TokenizerError
from ..media.grid import Grid
from ..media.images import is_image, pixels
from ..tokenizers.base import Tokenizer
from ..tokenizers.samples import for_grid, samples_of

DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("u1"), 16: np.dtype("<i2")}


class Value(NamedTuple):
    """A source as bytes, and the tokenizer that takes them: the tokenizer of the items, or of a larger picture cut into items."""

    data: bytes
    tokenizer: Tokenizer
    #: of the array or picture, with the axis of its channels; None: the source was bytes or text
    shape: tuple[int, ...] | None = None
    dtype: np.dtype[Any] = DTYPES[8]


def value_of(tokenizer: Tokenizer, source: Any) -> Value:
    """The source as bytes. Raises TokenizerError where the tokenizer does not take it."""
    samples = samples_of(tokenizer)
    if isinstance(source, bytes | bytearray | memoryview):
        return Value(bytes(source), tokenizer)
    if isinstance(source, str):
        if samples.channels:
            raise TokenizerError(f"the tokenizer {tokenizer.name!r} takes {_kind(tokenizer)}, not text")
        return Value(source.encode(), tokenizer)
    if is_image(source):
        source = pixels(source, samples.channels)
    if not isinstance(source, np.ndarray):
        raise TokenizerError(f"{type(source).__name__} cannot be encoded: give bytes, text, an array or a PIL image")
    if not samples.channels:
        return Value(source.tobytes(), tokenizer, source.shape, source.dtype)
    return _of_samples(tokenizer, source)


def _of_samples(tokenizer: Tokenizer, array: NDArray[Any]) -> Value:
    kind = samples_of(tokenizer)
    dtype, sides = DTYPES[kind.bits], kind.sides
    if array.dtype.newbyteorder("<") != dtype:
        raise TokenizerError(f"the tokenizer {tokenizer.name!r} takes arrays of {dtype.name}, not {array.dtype.name}")
    if kind.channels == 1 and (array.ndim < _axes(tokenizer) or array.shape[-1] != 1):
        array = array[..., None]
    if array.ndim < 2 or array.shape[-1] != kind.channels or not array.size:
        raise TokenizerError(
            f"the tokenizer {tokenizer.name!r} takes {_kind(tokenizer)}: an array of shape {array.shape} is none"
        )
    data = np.ascontiguousarray(array, dtype).tobytes()
    if not sides or (array.ndim == len(sides) + 2 and array.shape[1:-1] == sides):
        return Value(data, tokenizer, array.shape, dtype)
    if array.ndim != len(sides) + 1:
        raise TokenizerError(
            f"the tokenizer {tokenizer.name!r} takes {_kind(tokenizer)}: an array of shape {array.shape} is none"
        )
    return Value(data, for_grid(tokenizer, _grid(array.shape, kind.bits)), array.shape, dtype)


def _axes(tokenizer: Tokenizer) -> int:
    """Axes of one source, with that of the channels."""
    return len(samples_of(tokenizer).sides) + 1 or 2


def _grid(shape: tuple[int, ...], bits: int) -> Grid:
    """Of the samples of an array [extent …, channels]."""
    *extent, channels = shape
    if len(extent) == 1:
        return Grid(False, 0, 1, extent[0], channels, bits, bits == 16, bits == 16)
    frames = extent[0] if len(extent) == 3 else 1
    return Grid(True, 0, frames * extent[-2], extent[-1], channels, bits, frames=frames)


def _kind(tokenizer: Tokenizer) -> str:
    kind = samples_of(tokenizer)
    item = "x".join(map(str, kind.sides))
    what = "sound of 16 bits" if kind.sound else f"{'video' if kind.video else 'pixels'} of 8 bits"
    return f"{what}, {kind.channels} {'channel' if kind.channels == 1 else 'channels'}{f', items of {item}' if item else ''}"


def tokenizer_of(tokenizer: Tokenizer, shape: tuple[int, ...] | None) -> Tokenizer:
    """The tokenizer that decodes the tokens of a source of this shape (`Value.shape`)."""
    kind = samples_of(tokenizer)
    if shape is None or not kind.sides or len(shape) != len(kind.sides) + 1:
        return tokenizer
    return for_grid(tokenizer, _grid(shape, kind.bits))


def array_of(tokenizer: Tokenizer, data: bytes, shape: tuple[int, ...] | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The samples of decoded bytes. shape: of the source; by default items [N, sides …, channels], or samples [N, channels].

    Raises TokenizerError where the bytes do not fill the shape."""
    kind = samples_of(tokenizer)
    shape = shape or ((-1, *kind.sides, kind.channels) if kind.channels else (-1,))
    values: NDArray[Any] = np.frombuffer(data, DTYPES[kind.bits] if kind.channels else dtype)
    try:
        values = values.reshape(shape)
    except ValueError:
        raise TokenizerError(f"{values.size:,} decoded values do not fill an array of shape {shape}") from None
    return values.copy()
