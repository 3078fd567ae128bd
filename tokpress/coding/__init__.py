"""Codecs: from the tokens of a frame to its payload and back.

`prior.codec(frame)` makes the `Codec` of one frame (`base.py`). There are four: `symbolwise`, the default, steps a prior symbol by
symbol; `class_factored` codes a symbol's class, then its member; `bitwise` codes a path of binary decisions; `bits_back` codes whole
items. `lanes` says how tokens are cut into lanes. `coders/` turns symbols and probabilities into words. Nothing here imports a prior.
"""

from .base import Codec, Frame

__all__ = ["Codec", "Frame"]
