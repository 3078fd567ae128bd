"""constriction's asymmetric numeral systems (Duda 2013; Bamler 2022, §2.4): a stack of bits.

What is pushed last is popped first. Every string of bits is what some symbols are coded as, which is not so of a range
coder: popping from bits that mean something else gives symbols that look drawn from the pmf, and pushing them again gives
the bits back. Bits-back coding rests on that, and so does sampling by decoding random bits.
"""

import constriction
import numpy as np

from ...errors import ChecksumError
from ..base import Pmf, Tokens
from .range_coder import _FAMILY, _model_rows


class Stack:
    """
    >>> pmf = np.array([[0.5, 0.25, 0.25]] * 4, np.float32)
    >>> stack = Stack(); stack.push(np.array([2, 0, 1, 0], np.int32), pmf)
    >>> Stack(stack.finish()).pop(pmf)
    array([2, 0, 1, 0], dtype=int32)
    """

    def __init__(self, bits: bytes = b"", noise: bool = False) -> None:
        """bits: what `finish` gave; or `noise`, every string of which will do, and which may run out."""
        if noise:
            bits = bits[: len(bits) // 4 * 4]
        words = np.frombuffer(bits + b"\0" * (-len(bits) % 4), "<u4").astype(np.uint32)
        self._noise = noise
        try:
            self._coder = constriction.stream.stack.AnsCoder(words, noise)
        except (AssertionError, ValueError) as error:
            raise ChecksumError(f"the coded words are damaged: {error}") from None

    def push(self, symbols: Tokens, pmf: Pmf) -> None:
        """symbols [n] and pmf [n, V]: popping gives them in the same order."""
        self._coder.encode_reverse(np.ascontiguousarray(symbols, np.int32), _FAMILY, _model_rows(pmf))

    def pop(self, pmf: Pmf) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where noise is used up."""
        symbols = self._coder.decode(_FAMILY, _model_rows(pmf))
        if self._noise and self._coder.num_words() < 2:  # nothing but what is left of the coder's state
            raise ChecksumError("the random bits are used up: give more of them")
        return symbols

    def is_empty(self) -> bool:
        """Whether everything that was pushed has been popped, and nothing else."""
        return self._coder.is_empty()

    def finish(self) -> bytes:
        """All that was pushed. The last word, which is never 0, is written without its zeros at the end."""
        return self._coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")
