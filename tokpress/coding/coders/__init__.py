"""Entropy coders: from symbols and their probabilities to words of 32 bits.

`intervals` turns rows of probabilities into integers. `range_coder` is a queue: the first symbol pushed is popped first. `stack` is a
stack. Each is defined in Python; the core writes the same words."""

from .range_coder import range_decoder, range_encoder

__all__ = ["range_decoder", "range_encoder"]
