"""`Samples`: the place, shape and type of a file's samples."""

import math
from typing import NamedTuple

from ..grid import MAX_ROW, Grid

#: longest side: products of sides stay small integers
MAX_SIDE = 1 << 32
#: a last dimension up to this size counts as channels
CHANNELS = 4


def item_bytes(dtype: str) -> int:
    """Bytes of a sample of this type.

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
    #: numpy's name with the byte order: "|u1", "<i2", ">u2" …; "|V3" for samples of 24 bits
    dtype: str
    #: bytes of padding after each row
    padding: int = 0
    #: whether the first row is the bottom of the picture, and whether blue comes before red
    upside_down: bool = False
    blue_first: bool = False

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * item_bytes(self.dtype) + self.padding

    def fits(self, size: int) -> bool:
        """Whether there are samples, and they lie within a file of `size` bytes."""
        if not self.shape or not all(0 < side < MAX_SIDE for side in self.shape) or self.padding < 0:
            return False
        return 0 <= self.start < self.stop <= size and self.stop - self.start == self.rows * self.row_bytes

    def grid(self) -> Grid | None:
        """The grid for a prior over samples; None if they are no integers, or lie on no grid."""
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
        if (
            picture and columns * channels > MAX_ROW and not self.padding
        ):  # rows are too long for contexts in the row above
            picture, rows, columns = False, 1, rows * columns
        return self._grid(picture, rows, columns, channels)

    def video(self, channels: int) -> Grid | None:
        """The grid of a video: an array [frames, rows, columns, channels], or several such videos in an array. With one channel, the last
        side may be missing. None for other shapes."""
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
