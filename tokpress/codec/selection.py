"""Which candidate codes a frame: a choice by costs, without models or files.

    Part       the part of a source that is tried, by size and lzma
    Cost       bytes of a candidate for that part
    Selection  the candidates in the order of trial, no more than needed, and the best one

`choose.py` measures the costs.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

#: a source up to this size is tried as a whole; of a larger one, a part
TRIAL_SIZE = 1 << 17
#: from this size on, every candidate is tried, on a larger part
LARGE = 1 << 20
#: Bytes for the whole source, over those expected from the part, of a candidate that starts empty: it learns more from the rest than a
#: trained one. (Measured on ends of the training texts and on files of this machine: docs/notes/text.md.)
STARTS_EMPTY = 0.95
#: above this share of lzma's bytes in the source, a single candidate is tried too: the source may be incompressible
HARDLY = 0.98
#: Below this share of lzma's bytes, a candidate is taken without trying the others, unless lzma needs less than REPETITIVE bytes for a byte
#: of the part. Of text that repeats itself so much, a trained model knows little more than one that starts empty.
CLEAR_WIN, REPETITIVE = 0.75, 0.15
#: Prose: a token of the text model has at least PROSE_BYTES bytes on average, and lzma needs at least PROSE_LZMA bytes for it. The text
#: model is then taken without a trial; it needs about PROSE_TEXT bytes a token. (With lzma above 0.9 bytes it was always the best; at
#: 0.87 there was one file on which it was not.)
PROSE_BYTES, PROSE_LZMA, PROSE_TEXT = 2.8, 1.0, 0.65


class Part(NamedTuple):
    """The part of a source that is tried. size: its bytes; source_size: bytes of the source; lzma: bytes of the part by lzma.

    samples: whether it is pixels or sound. by_user: whether the user named the candidates. all_tried: whether all candidates are tried."""

    size: int
    source_size: int
    lzma: int
    samples: bool = False
    by_user: bool = False
    all_tried: bool = False

    @property
    def is_whole(self) -> bool:
        return self.size == self.source_size

    @property
    def is_large(self) -> bool:
        return self.source_size >= LARGE


class Cost(NamedTuple):
    """payload: bytes for the part. starts_empty: whether the candidate is untrained. final: whether it is taken at once."""

    payload: float
    starts_empty: bool = False
    final: bool = False


class Choice(NamedTuple):
    """number: of the candidate; payload: its bytes for the part."""

    number: int
    payload: float


def is_prose(tokens: int, part: Part) -> bool:
    """Whether the part is prose, by the number of a text model's tokens."""
    return tokens * PROSE_BYTES < part.size and tokens * PROSE_LZMA < part.lzma


def may_be_prose(part: Part) -> bool:
    """Whether prose is coded by the text model without a trial: only a part by the shipped models."""
    return not (part.by_user or part.is_whole or part.samples)


def is_taken_untried(count: int, part: Part) -> bool:
    """Whether there is one candidate, and lzma shrinks the part."""
    doubtful = not part.by_user and part.lzma > HARDLY * part.size
    return count == 1 and not part.is_whole and not doubtful


def is_clear(cost: Cost, part: Part) -> bool:
    """Whether this candidate is so good that no other need be tried."""
    all_tried = part.all_tried or part.is_large or part.samples or part.lzma < REPETITIVE * part.size
    return not all_tried and cost.payload < CLEAR_WIN * part.lzma


class Selection:
    """The candidates in the order of trial, until one is good enough. best: the choice so far, or None.

    >>> part = Part(size=1000, source_size=1000, lzma=500)
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
        for number in range(self._count):
            if self._ended:
                return
            yield number

    def add(self, number: int, cost: Cost | None) -> None:
        """Add the cost of candidate `number`; None: it is not worth a trial."""
        if cost is None:
            return
        part = self._part
        learns_on = part.is_large or not (part.is_whole or part.samples)  # from the rest of the source
        expected = cost.payload * (STARTS_EMPTY if learns_on and cost.starts_empty else 1)
        if cost.final or expected < self._expected:
            self.best, self._expected = Choice(number, cost.payload), expected
        self._ended = cost.final or is_clear(cost, part)
