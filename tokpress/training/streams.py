"""Training batches from packed token files: B rows that each read on through a random segment.

A row reads `segment` windows in order, so the recurrent state may be carried from window to window;
then it jumps to a new random place and starts from the empty state, as every lane of a coded frame does.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: what a prior sees before the first token of a lane
BEGIN = 0


@dataclass
class Source:
    """One file of packed little-endian uint16 tokens and its share of the training draws per token."""

    path: Path
    weight: float = 1.0
    held_out: int = 0

    def __post_init__(self):
        self.all = np.memmap(self.path, dtype="<u2", mode="r")
        self.held_out = min(1 << 15, len(self.all) // 50)
        self.tokens = self.all[: len(self.all) - self.held_out]
        self.validation = self.all[len(self.all) - self.held_out :]


class Streams:
    """Iterator of (inputs [B, T], targets [B, T], fresh [B]) int64, int64, bool."""

    def __init__(self, sources: list[Source], rows: int, window: int, segment: int, seed: int | list[int]):
        self.sources = [s for s in sources if len(s.tokens) > window + 1]
        if not self.sources:
            raise ValueError(f"no source has more than {window + 1} tokens")
        mass = np.array([len(s.tokens) * s.weight for s in self.sources])
        self.shares = mass / mass.sum()
        self.rng = np.random.default_rng(seed)
        self.rows, self.window, self.segment = rows, window, segment
        self.place = [(0, 0, 0)] * rows  # source, position, windows left

    def __iter__(self):
        return self

    def __next__(self):
        t = self.window
        inputs = np.empty((self.rows, t), np.int64)
        targets = np.empty((self.rows, t), np.int64)
        fresh = np.zeros(self.rows, bool)
        for row, (i, at, left) in enumerate(self.place):
            tokens = self.sources[i].tokens
            fresh[row] = left == 0 or at + t > len(tokens)
            if fresh[row]:
                i = int(self.rng.choice(len(self.sources), p=self.shares))
                tokens = self.sources[i].tokens
                at = int(self.rng.integers(0, len(tokens) - t))
                left = int(self.rng.integers(1, 2 * self.segment))
            targets[row] = tokens[at : at + t]
            inputs[row, 1:] = targets[row, :-1]
            inputs[row, 0] = BEGIN if fresh[row] else tokens[at - 1]
            self.place[row] = (i, at + t, left - 1)
        return inputs, targets, fresh


def validation_batch(sources: list[Source], rows: int, window: int, windows: int) -> np.ndarray:
    """[rows, window·windows + 1] held-out tokens, rows shared out by the sources' training shares."""
    long = [s for s in sources if len(s.validation) > window * windows + 1]
    if not long:
        joined = np.concatenate([s.validation for s in sources] or [np.zeros(0, np.uint16)])
        rows = max(1, min(rows, len(joined) // (window * windows + 1)))
        return np.resize(joined, (rows, window * windows + 1)).astype(np.int64)
    mass = np.array([len(s.tokens) * s.weight for s in long])
    ends = np.cumsum(mass) / mass.sum()
    out = []
    for row in range(rows):
        v = long[int(np.searchsorted(ends, (row + 0.5) / rows))].validation
        at = (row * 7919) % (len(v) - window * windows - 1)
        out.append(v[at : at + window * windows + 1])
    return np.stack(out).astype(np.int64)
