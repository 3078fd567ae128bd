"""Symbols and probabilities become words: `intervals` turns rows of probabilities into integers, `range_coder` is a queue and `stack` a
stack. Each is a definition in Python beside the core's form of it, which writes the same words."""

from .range_coder import range_decoder, range_encoder

__all__ = ["range_decoder", "range_encoder"]
