"""Where the samples of a file are."""

import math
from dataclasses import dataclass

import numpy as np

#: of any side, so that products of sides stay small numbers
MOST = 1 << 32


@dataclass(frozen=True)
class Samples:
    #: image: shape (rows, columns, channels); sound: (frames, channels); array: anything
    kind: str
    start: int
    stop: int
    shape: tuple[int, ...]
    #: numpy's name, with the order of bytes: "|u1", "<i2", ">u2" …; "|V3" where a sample has 24 bits
    dtype: str
    #: bytes after each row that are no samples
    padding: int = 0
    #: whether the first row is the lowest one of the picture, and blue comes before red
    upside_down: bool = False
    blue_first: bool = False

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * np.dtype(self.dtype).itemsize + self.padding

    def fits(self, size: int) -> bool:
        """Whether a file of so many bytes can hold them, and there are any."""
        if not self.shape or not all(0 < side < MOST for side in self.shape) or self.padding < 0:
            return False
        return 0 <= self.start < self.stop <= size and self.stop - self.start == self.rows * self.row_bytes
