"""constriction's asymmetric numeral systems (Duda 2013; Bamler 2022, §2.4): a stack of bits.

Every string of bits is what some symbols are coded as, which is not so of a range coder. Taking symbols off a stack of
uniformly random bits therefore draws them from the prior: sampling is decoding.
"""

import constriction
import numpy as np

from ..errors import ChecksumError
from ..types import Pmf, Tokens
from .range_coder import _FAMILY, _model_rows


class Stack:
    """
    >>> noise = Stack(np.random.default_rng(0).bytes(64))
    >>> noise.pop(np.array([[0.5, 0.25, 0.25]] * 4, np.float32)).shape
    (4,)
    """

    def __init__(self, bits: bytes) -> None:
        words = np.frombuffer(bits[: len(bits) // 4 * 4], "<u4").astype(np.uint32)
        self._coder = constriction.stream.stack.AnsCoder(words, True)

    def pop(self, pmf: Pmf) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where the bits are used up."""
        symbols = self._coder.decode(_FAMILY, _model_rows(pmf))
        if self._coder.is_empty():
            raise ChecksumError("the random bits are used up: give more of them")
        return symbols
