"""Entropy coders: from symbols and their probabilities to words.

`intervals` turns rows of probabilities into integers, `range_coder` is a queue, `stack` a stack. Each has a definition in Python and
a form in the core, which writes the same words."""

from .range_coder import range_decoder, range_encoder

__all__ = ["range_decoder", "range_encoder"]
