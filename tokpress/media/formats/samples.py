"""`Samples`: where the samples of a file are, and what shape and type they have."""

import math
from typing import NamedTuple

from ..grid import MAX_ROW, Grid

#: of any side, so that products of sides stay small numbers
MAX_SIDE = 1 << 32
#: a last dimension up to this is taken for channels
CHANNELS = 4


def item_bytes(dtype: str) -> int:
    """Bytes of a sample of this type, by its name.

    >>> item_bytes(">u2"), item_bytes("|V3")
    (2, 3)
    """
    return int(dtype[2:])


class Samples(NamedTuple):
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
        return math.prod(self.shape[1:]) * item_bytes(self.dtype) + self.padding

    def fits(self, size: int) -> bool:
        """Whether a file of so many bytes can hold them, and there are any."""
        if not self.shape or not all(0 < side < MAX_SIDE for side in self.shape) or self.padding < 0:
            return False
        return 0 <= self.start < self.stop <= size and self.stop - self.start == self.rows * self.row_bytes

    def grid(self) -> Grid | None:
        """For a prior over samples; None where these are no integers, or hardly lie on a grid."""
        rows, columns, channels = self.shape[0], 1, 1
        picture = self.kind != "sound" and len(self.shape) > 1
        if self.kind == "sound" or (len(self.shape) == 2 and self.shape[1] <= CHANNELS):
            picture, rows, columns, channels = False, 1, self.shape[0], math.prod(self.shape[1:])
        elif len(self.shape) > 2 and self.shape[-1] <= CHANNELS:
            rows, columns, channels = math.prod(self.shape[:-2]), self.shape[-2], self.shape[-1]
        elif picture:
            rows, columns = math.prod(self.shape[:-1]), self.shape[-1]
        else:
            rows, columns = 1, self.shape[0]
        if picture and columns * channels > MAX_ROW and not self.padding:  # rows too long to look at what is above
            picture, rows, columns = False, 1, rows * columns
        return self._grid(picture, rows, columns, channels)

    def video(self, channels: int) -> Grid | None:
        """Of an array [frames, rows, columns, channels], or of several such videos one behind the other; without the last
        side where there is one channel. None for anything else."""
        shape = self.shape if self.shape[-1] == channels and len(self.shape) > 3 else (*self.shape, 1)
        if self.kind != "array" or len(shape) < 4 or shape[-1] != channels:
            return None
        *frames, rows, columns, _ = shape
        return self._grid(True, math.prod(frames) * rows, columns, channels, math.prod(frames))

    def _grid(self, picture: bool, rows: int, columns: int, channels: int, frames: int = 1) -> Grid | None:
        grid = Grid(
            picture, self.start, rows, columns, channels, 8 * item_bytes(self.dtype),
            signed=self.dtype[1] in "iV", little=self.dtype[0] != ">", padding=self.padding, frames=frames,
        )  # fmt: skip
        if self.dtype[1] not in "uiV" or grid.stop != self.stop or not grid.fits(self.stop):
            return None
        return grid
