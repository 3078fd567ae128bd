"""Training batches from packed token files: B rows, each of which reads a random segment window by window.

A row reads about `segment` windows in order, and its recurrent state is carried from window to window. Then it jumps to a new
random position and starts from the empty state, as every lane of a coded frame does.

`Items` are batches of data that consists of items of one shape (pictures): B random items, their tokens in a fixed order.

The end of every file is held out: training sees `Source.tokens`, never `Source.validation`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CorpusError
from ...exact.orders import Order

#: input of the first step of a lane
BEGIN = 0
#: windows in a row of held-out data
HELD_OUT_WINDOWS = 4


class Batch(NamedTuple):
    inputs: NDArray[np.int64]  # [B, T], the targets one step before
    targets: NDArray[np.int64]  # [B, T]
    fresh: NDArray[np.bool_]  # [B], rows that start from the empty state
    given: NDArray[np.int64] | None = None  # [B, M], the tokens that each item is predicted from


#: a 50th of each source is held out; at most so many tokens, and at least so many (but no more than a tenth)
MAX_HELD_OUT, LEAST_HELD_OUT = 1 << 15, 1 << 10
#: most items held out of a source that consists of items
MAX_ITEMS = 512


@dataclass
class Source:
    """A file of packed little-endian uint16 tokens. weight: share of each of its tokens in the training draws."""

    path: Path
    weight: float = 1.0
    all: NDArray[np.uint16] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.all = np.memmap(self.path, dtype="<u2", mode="r")
        n = len(self.all)
        self.held_out = min(max(n // 50, min(n // 10, LEAST_HELD_OUT)), MAX_HELD_OUT)

    @property
    def tokens(self) -> NDArray[np.uint16]:
        """The tokens to learn from."""
        return self.all[: len(self.all) - self.held_out]

    @property
    def validation(self) -> NDArray[np.uint16]:
        """The held-out tokens."""
        return self.all[len(self.all) - self.held_out :]


class Streams:
    """Iterator of batches of windows. The same seed gives the same batches."""

    def __init__(self, sources: list[Source], rows: int, window: int, segment: int, seed: int | list[int]):
        self.sources, self.rows = sources, rows
        self.tokens = [(s.tokens, s.weight) for s in sources if len(s.tokens) > window + 1]
        if not self.tokens:
            raise CorpusError(f"no part of the corpus has more than {window + 1} tokens; take a smaller --window")
        mass = np.array([len(tokens) * weight for tokens, weight in self.tokens])
        self.ends = np.cumsum(mass) / mass.sum()
        self.ends[-1] = 1.0  # without the rounding error of the sum
        self.rng = np.random.default_rng(seed)
        self.window, self.segment = window, segment
        self.place = [(0, 0, 0)] * rows  # source, position, windows left

    def __iter__(self) -> "Streams":
        return self

    def _advance(self) -> NDArray[np.bool_]:
        """Move every row to its next window. Returns the rows that jumped."""
        fresh = np.zeros(len(self.place), bool)
        for row, (i, at, left) in enumerate(self.place):
            at += self.window
            fresh[row] = left == 0 or at + self.window > len(self.tokens[i][0])
            if fresh[row]:
                i = int(np.searchsorted(self.ends, self.rng.random(), side="right"))
                at = int(self.rng.integers(0, len(self.tokens[i][0]) - self.window))
                left = int(self.rng.integers(1, 2 * self.segment))
            self.place[row] = (i, at, left - 1)
        return fresh

    def skip(self, batches: int) -> None:
        """Go past `batches` batches: a resumed run reads those that follow."""
        for _ in range(batches):
            self._advance()

    def held_out(self) -> Iterator[Batch]:
        """Held-out tokens, in windows that follow one another."""
        batch = validation_batch(self.sources, self.rows, self.window, HELD_OUT_WINDOWS)
        for at in range(0, batch.shape[1] - 1, self.window):
            targets = batch[:, at + 1 : at + self.window + 1]
            yield Batch(batch[:, at : at + targets.shape[1]], targets, np.full(len(batch), at == 0))

    def __next__(self) -> Batch:
        fresh = self._advance()
        targets = np.empty((len(self.place), self.window), np.int64)
        inputs = np.empty_like(targets)
        for row, (i, at, _) in enumerate(self.place):
            tokens = self.tokens[i][0]
            targets[row] = tokens[at : at + self.window]
            inputs[row, 1:] = targets[row, :-1]
            inputs[row, 0] = BEGIN if fresh[row] else tokens[at - 1]
        return Batch(inputs, targets, fresh)


def split_items(source: Source, size: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """(items to learn from, held-out items), both [n, size]. A 50th is held out, at most MAX_ITEMS."""
    items = _items(source, size)
    held_out = max(min(len(items) // 50, MAX_ITEMS), min(len(items) - 1, 1), 0)
    return items[: len(items) - held_out], items[len(items) - held_out :]


def _items(source: Source, size: int) -> NDArray[np.uint16]:
    """[n, size]: the items of a source. A header before the first is skipped."""
    return source.all[len(source.all) % size :].reshape(-1, size)


class Items:
    """Iterator of batches of random items, of len(order) tokens each, in `order`.

    given: for each source a source of as many x, of `size` tokens each, that the items are predicted from."""

    def __init__(
        self,
        sources: list[Source],
        rows: int,
        order: Order,
        seed: int | list[int],
        given: list[Source] | None = None,
        size: int = 0,
    ):
        self.order, self.rows, self.rng = order, rows, np.random.default_rng(seed)
        self.items, validation = map(list, zip(*(split_items(source, len(order)) for source in sources)))
        self.validation = np.concatenate(validation)
        mass = np.array([items.size * source.weight for items, source in zip(self.items, sources)])
        if not mass.sum() or not len(self.validation):
            raise CorpusError(f"the corpus has no two whole items of {len(order)} tokens; is the shape right?")
        self.share = mass / mass.sum()
        self.given = None if given is None else [_items(source, size) for source in given]
        for i, x in enumerate(self.given or []):
            if len(x) != len(self.items[i]) + len(validation[i]):
                raise CorpusError(
                    f"{len(x):,} given items for {len(self.items[i]) + len(validation[i]):,} items of the corpus"
                )

    def __iter__(self) -> "Items":
        return self

    def _draw(self) -> list[tuple[int, int]]:
        chosen = self.rng.choice(len(self.items), self.rows, p=self.share)
        return [(i, int(self.rng.integers(len(self.items[i])))) for i in chosen]

    def skip(self, batches: int) -> None:
        """Go past `batches` batches: a resumed run reads those that follow."""
        for _ in range(batches):
            self._draw()

    def __next__(self) -> Batch:
        drawn = self._draw()
        given = None if self.given is None else np.stack([self.given[i][at] for i, at in drawn])
        return self._batch(np.stack([self.items[i][at] for i, at in drawn]), given)

    def held_out(self) -> Iterator[Batch]:
        """Batches of held-out items, all of `rows` items where there are so many: another size would be compiled anew."""
        full = len(self.validation) // self.rows * self.rows
        given = self.held_out_given()
        for at in range(0, full or len(self.validation), self.rows):
            part = slice(at, at + self.rows)
            yield self._batch(self.validation[part], None if given is None else given[part])

    def held_out_given(self) -> NDArray[np.uint16] | None:
        """The x of the held-out items."""
        if self.given is None:
            return None
        return np.concatenate([x[len(items) :] for x, items in zip(self.given, self.items)])

    def _batch(self, items: NDArray[np.uint16], given: NDArray[np.uint16] | None) -> Batch:
        targets = items[:, self.order].astype(np.int64)
        inputs = np.full_like(targets, BEGIN)
        inputs[:, 1:] = targets[:, :-1]
        return Batch(inputs, targets, np.ones(len(targets), bool), None if given is None else given.astype(np.int64))


def validation_batch(sources: list[Source], rows: int, window: int, windows: int) -> NDArray[np.int64]:
    """Held-out tokens [at most rows, at most window·windows + 1], none twice. The rows of a source are in proportion to its
    share of training. Sources too short for a row are left out where others are long enough."""
    length = window * windows + 1
    long = [s for s in sources if len(s.validation) >= length]
    if not long:
        joined = np.concatenate([s.validation for s in sources] or [np.zeros(0, np.uint16)])
        if windows > 1 and len(joined) < rows * length:  # shorter rows rather than fewer
            return validation_batch(sources, rows, window, windows - 1)
        if len(joined) < 2:
            raise CorpusError("the corpus is too small to hold anything out; give more data")
        length = min(length, len(joined))
        rows = max(1, min(rows, len(joined) // length))
        return joined[: rows * length].reshape(rows, length).astype(np.int64)
    mass = np.array([len(s.tokens) * s.weight for s in long])
    chosen = np.searchsorted(np.cumsum(mass) / mass.sum(), (np.arange(rows) + 0.5) / rows)
    out = []
    for i, source in enumerate(long):
        v = source.validation
        count = min(int((chosen == i).sum()), len(v) // length)
        out += [v[at : at + length] for at in np.linspace(0, len(v) - length, count).astype(int)]
    return np.stack(out).astype(np.int64)
