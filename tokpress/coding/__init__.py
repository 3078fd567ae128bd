"""Codecs: from the tokens of a frame to its payload and back.

`prior.codec(frame)` makes the `Codec` of one frame (`base.py`). There are four kinds: `symbolwise`, the default, codes symbol after
symbol; `class_factored` codes a symbol's class, then the member of the class; `bitwise` codes a symbol as a path of binary decisions;
`bits_back` codes whole items. `lanes` cuts tokens into lanes. `coders/` turns symbols and their probabilities into bytes. Nothing here
imports a prior.
"""

from .base import Codec, Frame

__all__ = ["Codec", "Frame"]
