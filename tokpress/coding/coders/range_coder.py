"""constriction's range coder (Martin 1979; Bamler 2022, arXiv:2201.01741) behind push and pop.

One coder serves all lanes, time-major: each call codes the n live rows of one step. A pmf is
float32 [n, V]; constriction turns each row into 24-bit integer frequencies, none below 1, by a fixed
sequence of scalar IEEE operations, so the same pmf gives the same bits everywhere. The row is part
of the format down to its dtype: a float64 copy would decode differently. It must sum to 1 ± k · 2^-24
with k < V and k · (k + V) < 2^23: then (2^24 − V) / sum, rounded, times the sum, rounded, is at most 2^24 − V, and
the last symbol keeps its 1. Farther from 1 it may lose it.

Turning a row into integer frequencies costs time for each of its V symbols. Where there are many rows of
many symbols (MANY_ROWS, WIDE), the symbol v is therefore coded in two steps, which need 2√V: its group
v mod G, whose probability is a sum over every G-th entry of the row, then v div G within the group.
"""

import constriction
import numpy as np

from ...errors import ChecksumError
from ..base import Pmf, Tokens

_QUEUE = constriction.stream.queue
_FAMILY = constriction.stream.model.Categorical(perfect=False)
# its first use calls into numpy and aborts where that raises (a signal handler, say): have it here, in the import
_QUEUE.RangeEncoder().get_compressed()
_QUEUE.RangeDecoder(np.zeros(2, np.uint32)).decode(_FAMILY, np.ones((1, 2), np.float32))
#: zero words after a payload: at most one was left out, the decoder reads two ahead, so nobody needs the last
BEYOND = 4


def _model_rows(pmf: Pmf) -> Pmf:
    if pmf.dtype != np.float32 or pmf.ndim != 2 or not pmf.flags.c_contiguous:
        raise TypeError(f"a pmf must be C-contiguous float32 [n, V], not {pmf.dtype} {pmf.shape}")
    return pmf


#: more rows than MANY_ROWS of more symbols than WIDE are coded in two steps
MANY_ROWS = 16
WIDE = 512
#: far above what a float32 rounds to 0, far below what matters beside anything likely
TINY = np.float32(2.0**-100)


def groups(symbols: int) -> int:
    """G, how many groups an alphabet of so many symbols has: a power of two near its root.

    >>> groups(4096), groups(50257)
    (64, 256)
    """
    return 1 << (symbols - 1).bit_length() // 2


def _by_group(pmf: Pmf) -> Pmf:
    """[n, V] → [n, J, G]: row j holds symbols j·G … j·G + G − 1; symbols past V have probability 0."""
    size = groups(pmf.shape[1])
    missing = -pmf.shape[1] % size
    if missing:
        pmf = np.concatenate([pmf, np.zeros((len(pmf), missing), np.float32)], axis=1)
    return pmf.reshape(len(pmf), -1, size)


def _two_steps(pmf: Pmf) -> bool:
    return pmf.shape[0] > MANY_ROWS and pmf.shape[1] > WIDE


def _group_sums(table: Pmf) -> Pmf:
    """[n, J, G] → [n, G]: Σ_j in the order of j."""
    from ...exact.fused import sum_middle

    return sum_middle(table)


def _within(table: Pmf, group: Tokens) -> Pmf:
    """[n, J]: each row's entries in its group, none below TINY, over their sum. What is next to nothing, or nothing,
    could not be scaled to frequencies; and of a row whose sum is far from 1, rounding may leave the last symbol none."""
    from ...exact.fused import sum_middle

    rows = np.maximum(table[np.arange(len(table)), :, group], TINY)
    return rows / sum_middle(rows[:, :, None])


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

    def push(self, symbols: Tokens, pmf: Pmf, one_step: bool = False) -> None:
        """symbols [n] int32, pmf [n, V]"""
        pmf, symbols = _model_rows(pmf), np.ascontiguousarray(symbols, np.int32)
        if one_step or not _two_steps(pmf):
            self._encode(symbols, pmf)
            return
        table = _by_group(pmf)
        rank, group = np.divmod(symbols, np.int32(table.shape[2]))
        self._encode(group, _group_sums(table))
        self._encode(rank, _within(table, group))

    def _encode(self, symbols: Tokens, rows: Pmf) -> None:
        try:
            self._encoder.encode(symbols, _FAMILY, rows)
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            raise ValueError(f"no probabilities that sum to 1: {panic}") from None

    def push_steps(self, symbols: Tokens, pmf: Pmf) -> None:
        """symbols [steps, n], pmf [steps, n, V]: `push` for each step."""
        if _two_steps(pmf[0]):
            for row, rows in zip(symbols, pmf, strict=True):
                self.push(row, rows)
        else:
            self.push(symbols.reshape(-1), pmf.reshape(-1, pmf.shape[2]), one_step=True)

    def finish(self) -> bytes:
        words = self._encoder.get_compressed().astype("<u4").tobytes()
        return words[:-4] + words[-4:].rstrip(b"\0")  # the decoder reads zeros past the end


class RangeDecoder:
    """The reverse of RangeEncoder. Damaged bytes may decode to wrong symbols; a checksum must tell.

    Where symbols cost bits, a token count that lies is found out soon after the payload's end. Symbols that are
    expected cost next to nothing, as they do in honest files: such a lie takes the time of a frame, never its memory.
    """

    def __init__(self, payload: bytes) -> None:
        padded = payload + b"\0" * (-len(payload) % 4 + 4 * BEYOND)
        self._decoder = _QUEUE.RangeDecoder(np.frombuffer(padded, "<u4").astype(np.uint32))

    def pop(self, pmf: Pmf, one_step: bool = False) -> Tokens:
        """pmf [n, V] → symbols [n]. Raises ChecksumError where the damage shows."""
        try:
            pmf = _model_rows(pmf)
            if one_step or not _two_steps(pmf):
                symbols = self._decoder.decode(_FAMILY, pmf)
            else:
                table = _by_group(pmf)
                group = self._decoder.decode(_FAMILY, _group_sums(table))
                rank = self._decoder.decode(_FAMILY, _within(table, group))
                symbols = rank * np.int32(table.shape[2]) + group
        except (AssertionError, ValueError) as error:
            raise ChecksumError(f"the coded words are damaged: {error}") from None
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            raise ChecksumError("the coded words are damaged") from None
        if self._decoder.maybe_exhausted():
            raise ChecksumError("the coded words are damaged: they end before the tokens do")
        return symbols
