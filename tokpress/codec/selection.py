"""Which candidate codes a frame: a choice by costs, without models or files.

    Part       the part of a source that is tried: what is known before any candidate is tried
    Cost       bytes that a candidate takes for the part
    Selection  the order of the trials, their end, and the best candidate

`choose.py` measures the costs.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: candidates try sources up to this size as a whole, and a part of larger ones
TRIAL_SIZE = 1 << 17
#: for a source from this size on, every candidate is tried, on a larger part
LARGE = 1 << 20
#: A candidate that starts empty does better on the whole source than on the part, since it learns: its cost for the part is multiplied by this.
#: (Chosen on nine files of the benchmark, which are also reported: there were no others that the text model has not read.)
STARTS_EMPTY = 0.91
#: If lzma shrinks the part to more than this share, even a single candidate is tried: perhaps nothing shrinks the source.
HARDLY = 0.98
#: A candidate below this share of lzma's bytes is taken without trying the others.
CLEAR_WIN = 0.75
#: If lzma shrinks the part below this share, the candidate that learns fastest (the last one) is tried first. (Prose shrinks to a third or more.)
REPETITIVE = 0.2
#: Prose: a text model's tokens have at least PROSE_BYTES bytes each, and lzma needs at least PROSE_LZMA bytes for each. Then the text model is
#: taken untried; it needs about PROSE_TEXT bytes for each token. (On test files with at least 0.9 bytes a token by lzma, it was always better.)
PROSE_BYTES, PROSE_LZMA, PROSE_TEXT = 2.8, 1.0, 0.65


class Part(NamedTuple):
    """The part of a source that is tried. size: its bytes. of: bytes of the source. lzma: bytes of the part, packed by lzma.

    samples: whether it is pixels or sound. own: whether the user named the candidates. best: whether the effort is "best"."""

    size: int
    of: int
    lzma: int
    samples: bool = False
    own: bool = False
    best: bool = False

    @property
    def is_whole(self) -> bool:
        return self.size == self.of

    @property
    def is_large(self) -> bool:
        return self.of >= LARGE


class Cost(NamedTuple):
    """payload: bytes for the part. starts_empty: as in `FrameRules`. final: take this candidate, without further trials."""

    payload: float
    starts_empty: bool = False
    final: bool = False


class Choice(NamedTuple):
    """number: the candidate's. payload: bytes that it takes for the part."""

    number: int
    payload: float


def is_prose(tokens: int, part: Part) -> bool:
    """Whether a text model's tokens of the part say that it is prose."""
    return tokens * PROSE_BYTES < part.size and tokens * PROSE_LZMA < part.lzma


def tells_prose(part: Part) -> bool:
    """Whether the text model may be taken untried: only among shipped models, for a part of a source without samples."""
    return not (part.own or part.is_whole or part.samples)


def order(count: int, part: Part) -> Sequence[int]:
    """The candidates' numbers in the order of trial."""
    fastest_first = not part.own and part.lzma < REPETITIVE * part.size
    return range(count)[::-1] if fastest_first else range(count)


def is_taken_untried(count: int, part: Part) -> bool:
    """Whether there is a single candidate, and lzma shrinks the part enough to expect that the candidate does too."""
    doubtful = not part.own and part.lzma > HARDLY * part.size
    return count == 1 and not part.is_whole and not doubtful


def is_clear(cost: Cost, part: Part) -> bool:
    """Whether this candidate is so good that no other need be tried."""
    return not (part.best or part.is_large or part.samples) and cost.payload < CLEAR_WIN * part.lzma


class Selection:
    """Iterates over the candidates to try, until one is good enough. best: the choice so far, or None.

    >>> part = Part(size=1000, of=1000, lzma=500)
    >>> selection, costs = Selection(2, part), [450, 400]
    >>> for number in selection:
    ...     selection.add(number, Cost(costs[number]))
    >>> selection.best
    Choice(number=1, payload=400)
    """

    def __init__(self, count: int, part: Part) -> None:
        self._count, self._part, self._ended = count, part, False
        self._expected = math.inf
        self.best: Choice | None = None

    def __iter__(self) -> Iterator[int]:
        """The numbers of the candidates to try. The caller adds the cost of each before it asks for the next."""
        if is_taken_untried(self._count, self._part):
            self.best = Choice(0, self._part.lzma)
            return
        for number in order(self._count, self._part):
            if self._ended:
                return
            yield number

    def add(self, number: int, cost: Cost | None) -> None:
        """Note the cost of candidate `number`; None: it was not worth a trial."""
        if cost is None:
            return
        part = self._part
        goes_on = part.is_large or not (part.is_whole or part.samples)  # then candidates learn from the rest
        expected = cost.payload * (STARTS_EMPTY if goes_on and cost.starts_empty else 1)
        if cost.final or expected < self._expected:
            self.best, self._expected = Choice(number, cost.payload), expected
        self._ended = cost.final or is_clear(cost, part)
