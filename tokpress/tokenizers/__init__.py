"""Tokenizers: bytes to tokens and back. `base` is the contract, `registry` finds them by name.

text/    bytes, characters, words, byte pairs     pixels/    palettes      learned/    discrete autoencoders
segments     several tokenizers in one vocabulary
"""
