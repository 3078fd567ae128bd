"""Entropy coders: symbols and their pmfs to words and back."""

from .range_coder import RangeDecoder, RangeEncoder

__all__ = ["RangeDecoder", "RangeEncoder"]
