"""Which candidate codes a frame: a choice by costs, without models or files.

    Part       what is known of the tried part of a source before any candidate is tried
    Cost       what a candidate costs there
    Selection  the candidates in a good order of trial, no more of them than needed, and the best one

`choose.py` measures the costs.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: sources up to this size are tried whole with every candidate, of larger ones only a part
TRIAL_SIZE = 1 << 17
#: a source from this size on is tried with every candidate, on a larger part
LARGE = 1 << 20
#: A candidate that begins with nothing learned gains about so much more than a trained one from the part to the whole (the bench's trials
#: show it; chosen on nine files of the bench, which are also reported, for want of others that the text model has not read).
STARTS_EMPTY = 0.91
#: Above this ratio of lzma, even a single candidate is tried: perhaps nothing shrinks the source.
HARDLY = 0.98
#: A candidate below this share of lzma's bytes is taken without trying the others.
CLEAR_WIN = 0.75
#: Below this ratio of lzma, the candidate that learns fastest (the last one) is tried first; prose has a third and more.
REPETITIVE = 0.2
#: Prose: a text model's tokens have at least PROSE_BYTES bytes each, and lzma needs at least PROSE_LZMA bytes for each. Then the text model is
#: taken untried; it needs about PROSE_TEXT bytes for each. (It was the better one wherever lzma takes 0.9, but for one file at 0.87.)
PROSE_BYTES, PROSE_LZMA, PROSE_TEXT = 2.8, 1.0, 0.65


class Part(NamedTuple):
    """The part of a source that is tried. size: its bytes; of: bytes of the source; lzma: bytes that lzma packs the part in.

    samples: whether it is pixels or sound. own: whether the user named the candidates. best: whether time does not matter."""

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
    """payload: bytes for the part. starts_empty: whether the candidate has learned nothing before. final: whether it is taken at once."""

    payload: float
    starts_empty: bool = False
    final: bool = False


class Choice(NamedTuple):
    """number: of the candidate; payload: bytes that the part takes."""

    number: int
    payload: float


def is_prose(tokens: int, part: Part) -> bool:
    """Whether a text model's tokens of the part say that it is prose."""
    return tokens * PROSE_BYTES < part.size and tokens * PROSE_LZMA < part.lzma


def tells_prose(part: Part) -> bool:
    """Whether prose may be taken untried: of a part, by the shipped models."""
    return not (part.own or part.is_whole or part.samples)


def order(count: int, part: Part) -> Sequence[int]:
    """The candidates' numbers in the order of trial."""
    fastest_first = not part.own and part.lzma < REPETITIVE * part.size
    return range(count)[::-1] if fastest_first else range(count)


def is_taken_untried(count: int, part: Part) -> bool:
    """Whether there is one candidate, which lzma's ratio says will shrink the source."""
    doubtful = not part.own and part.lzma > HARDLY * part.size
    return count == 1 and not part.is_whole and not doubtful


def is_clear(cost: Cost, part: Part) -> bool:
    """Whether no other candidate need be tried."""
    return not (part.best or part.is_large or part.samples) and cost.payload < CLEAR_WIN * part.lzma


class Selection:
    """Candidates in a good order of trial, until one is good enough; `best` is the choice so far, None where there is none.

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
        """What candidate `number` costs; None: it is not worth a trial."""
        if cost is None:
            return
        part = self._part
        goes_on = part.is_large or not (part.is_whole or part.samples)  # and candidates learn from the rest
        expected = cost.payload * (STARTS_EMPTY if goes_on and cost.starts_empty else 1)
        if cost.final or expected < self._expected:
            self.best, self._expected = Choice(number, cost.payload), expected
        self._ended = cost.final or is_clear(cost, part)
