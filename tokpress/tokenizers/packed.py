"""Pictures of one bit a pixel, eight pixels in a byte: what the tokenizer `bits` takes. A file with a byte for each pixel is another thing."""

import math

from ..media.formats import Samples
from .base import Tokenizer

ADVICE = (
    "its pixels take a byte each, and a model of one-bit pixels takes eight in a byte: use a model with the tokenizer bytes, "
    "or pack the pixels (numpy.packbits)"
)


def is_of_bits(tokenizer: Tokenizer) -> bool:
    """Whether a token is one bit of a byte."""
    return tokenizer.vocab_size == 2 and tokenizer.sizes.unit_tokens == 8


def has_byte_pixels(samples: Samples, item: int) -> bool:
    """Whether a file has a byte for each pixel, where an item has `item` pixels. An array of bytes [items, item / 8] has bits.

    >>> has_byte_pixels(Samples("array", 0, 1568, (2, 28, 28), "|u1"), 784), has_byte_pixels(Samples("array", 0, 196, (2, 98), "|u1"), 784)
    (True, False)
    """
    return samples.kind == "image" or (len(samples.shape) > 1 and math.prod(samples.shape[1:]) == item)
