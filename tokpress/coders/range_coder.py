"""constriction's range coder (Martin 1979; Bamler 2022, arXiv:2201.01741) behind push and pop.

One coder serves all lanes, time-major: each call codes the n live rows of one step. A pmf is
float32 [n, V]; constriction turns each row into 24-bit integer frequencies, none below 1, by a fixed
sequence of scalar IEEE operations, so the same pmf gives the same bits everywhere. The row is part
of the format down to its dtype: a float64 copy would decode differently.
"""

import constriction
import numpy as np

from ..errors import ChecksumError
from ..types import Pmf, Tokens

_QUEUE = constriction.stream.queue
_FAMILY = constriction.stream.model.Categorical(perfect=False)
#: zero words after a payload: at most one was left out, the decoder reads two ahead, so nobody needs the last
_BEYOND = 4


def _model_rows(pmf: Pmf) -> Pmf:
    if pmf.dtype != np.float32 or pmf.ndim != 2 or not pmf.flags.c_contiguous:
        raise TypeError(f"a pmf must be C-contiguous float32 [n, V], not {pmf.dtype} {pmf.shape}")
    return pmf


class RangeEncoder:
    """
    >>> import numpy as np
    >>> pmf = np.full((2, 4), 0.25, np.float32)
    >>> encoder = RangeEncoder(); encoder.push(np.array([3, 1], np.int32), pmf)
    >>> RangeDecoder(encoder.finish()).pop(pmf)
    array([3, 1], dtype=int32)
    """

    def __init__(self) -> None:
        self._encoder = _QUEUE.RangeEncoder()

    def push(self, symbols: Tokens, pmf: Pmf) -> None:
        """symbols [n] int32, pmf [n, V]"""
        self._encoder.encode(np.ascontiguousarray(symbols, np.int32), _FAMILY, _model_rows(pmf))

    def finish(self) -> bytes:
        words = self._encoder.get_compressed().astype("<u4").tobytes()
        return words[:-4] + words[-4:].rstrip(b"\0")  # the decoder reads zeros past the end


class RangeDecoder:
    """The reverse of RangeEncoder. Damaged bytes may decode to wrong symbols; a checksum must tell.

    Symbols cost bits, so a token count that lies is found out soon after the payload's end, long before it is reached.
    """

    def __init__(self, payload: bytes) -> None:
        padded = payload + b"\0" * (-len(payload) % 4 + 4 * _BEYOND)
        self._decoder = _QUEUE.RangeDecoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    def pop(self, pmf: Pmf) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where the damage shows."""
        try:
            symbols = self._decoder.decode(_FAMILY, _model_rows(pmf))
        except (AssertionError, ValueError) as error:
            raise ChecksumError(f"the coded words are damaged: {error}") from None
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            raise ChecksumError("the coded words are damaged") from None
        if self._decoder.maybe_exhausted():
            raise ChecksumError("the coded words are damaged: they end before the tokens do")
        return symbols
