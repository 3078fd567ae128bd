"""Tokenizers of pixels: `palette`, the nearest of K colours."""
