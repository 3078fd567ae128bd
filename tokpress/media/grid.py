"""The grid of a source: the layout of its samples. A prior over pixels or sound gets it together with the tokens.

source = bytes before · rows of (columns · channels) samples, each row followed by `padding` bytes · bytes after

The frames of a video lie one under another: `rows` counts the rows of all frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..container.varint import pack_varint
from ..errors import ChecksumError
from ..lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: longest side: products of sides stay small integers
MAX_SIDE = 1 << 32
MAX_CHANNELS = 8
#: most samples in a row of a picture, because priors keep several rows
MAX_ROW = 1 << 18
BITS = (8, 16, 24, 32)


class Grid(NamedTuple):
    #: whether rows lie above each other; otherwise there is one long row
    picture: bool
    start: int
    rows: int
    columns: int
    channels: int
    #: bits of a sample
    bits: int
    signed: bool = False
    #: whether the lowest byte of a sample comes first
    little: bool = False
    padding: int = 0
    #: frames of a video, which have equal numbers of rows
    frames: int = 1

    @property
    def sample_bytes(self) -> int:
        return self.bits // 8

    @property
    def samples(self) -> int:
        return self.rows * self.columns * self.channels

    @property
    def row_bytes(self) -> int:
        return self.columns * self.channels * self.sample_bytes + self.padding

    @property
    def slices(self) -> int:
        """Number of slices, the largest units in sequence: frames of a video, rows of a picture, columns of sound."""
        return self.frames if self.frames > 1 else self.rows if self.picture else self.columns

    @property
    def slice_bytes(self) -> int:
        return (self.stop - self.start) // self.slices

    @property
    def stacked(self) -> Grid:
        """The frames of a video as one picture."""
        return self._replace(frames=1)

    @property
    def stop(self) -> int:
        return self.start + self.rows * self.row_bytes

    def fits(self, size: int) -> bool:
        """Whether the grid is possible and lies within a source of `size` bytes."""
        sides = (self.rows, self.columns, self.channels)
        in_bounds = all(0 < side < MAX_SIDE for side in sides) and 0 <= self.padding < MAX_SIDE and self.start >= 0
        in_bounds = in_bounds and 0 < self.frames <= self.rows and not self.rows % self.frames
        narrow = self.columns * self.channels <= MAX_ROW if self.picture else self.rows == 1
        return in_bounds and narrow and self.channels <= MAX_CHANNELS and self.bits in BITS and self.stop <= size

    def within(self, begin: int, end: int) -> Grid | None:
        """The grid of the complete slices in source[begin:end]; None if there are none."""
        step = self.slice_bytes
        first = max(0, -(-(begin - self.start) // step))
        last = min(self.slices, (end - self.start) // step)
        if first >= last:
            return None
        moved, count = self._replace(start=self.start + first * step - begin), last - first
        if not self.picture:
            return moved._replace(columns=count)
        return moved._replace(rows=self.rows // self.slices * count, frames=count if self.frames > 1 else 1)

    def pack(self) -> bytes:
        """One byte of flags, then start, rows, columns, channels, padding and, for a video, frames as varints.

        >>> unpack(Grid(True, 15, 2, 3, 3, 8).pack(), 33) == Grid(True, 15, 2, 3, 3, 8)
        True
        """
        video = self.frames > 1
        kinds = self.picture | self.signed << 1 | self.little << 2 | (self.sample_bytes - 1) << 3 | video << 5
        sides = (self.start, self.rows, self.columns, self.channels, self.padding, *[self.frames] * video)
        return bytes([kinds]) + b"".join(map(pack_varint, sides))

    def around(self, source: bytes) -> bytes:
        """All bytes that are no samples: those before, after each row, and after the last row."""
        used = self.row_bytes - self.padding
        rows = range(self.start + used, self.stop, self.row_bytes) if self.padding else ()
        paddings = [source[at : at + self.padding] for at in rows]
        return b"".join([source[: self.start], *paddings, source[self.stop :]])

    def blank(self, rest: bytes) -> bytearray:
        """The source with zeros as samples and `rest` as all other bytes: the reverse of `around`."""
        padded = self.start + self.rows * self.padding
        out = bytearray(rest[: self.start]) + bytearray(self.stop - self.start) + rest[padded:]
        for row in range(self.rows if self.padding else 0):
            begin, end = self.start + row * self.padding, self.start + (row + 1) * self.row_bytes
            out[end - self.padding : end] = rest[begin : begin + self.padding]
        return out

    def split(self, source: bytes) -> tuple[bytes, NDArray[np.uint8]]:
        """(all other bytes, samples [rows · columns · channels, bytes], the highest byte first)."""
        rows = np.frombuffer(source, np.uint8, self.stop - self.start, self.start).reshape(self.rows, self.row_bytes)
        used = self.row_bytes - self.padding
        rest = source[: self.start] + rows[:, used:].tobytes() + source[self.stop :]
        samples = rows[:, :used].reshape(-1, self.sample_bytes)
        return rest, samples[:, ::-1] if self.little else samples

    def join(self, rest: bytes, samples: NDArray[np.uint8]) -> bytes:
        """The reverse of `split`."""
        padded = self.start + self.rows * self.padding
        rows = np.empty((self.rows, self.row_bytes), np.uint8)
        used = self.row_bytes - self.padding
        rows[:, :used] = (samples[:, ::-1] if self.little else samples).reshape(self.rows, used)
        rows[:, used:] = np.frombuffer(rest[self.start : padded], np.uint8).reshape(self.rows, self.padding)
        return rest[: self.start] + rows.tobytes() + rest[padded:]


def unpack(packed: bytes, size: int) -> Grid:
    """The packed grid of a source of `size` bytes. Raises ChecksumError if it does not fit."""
    numbers, number, shift = [], 0, 0
    for byte in packed[1:]:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    video = bool(packed) and packed[0] >> 5 == 1
    if len(numbers) == 5 + video and not shift and packed[0] < 64:
        start, rows, columns, channels, padding, frames = [*numbers, 1][:6]
        picture, signed, little = (bool(packed[0] >> i & 1) for i in range(3))
        grid = Grid(
            picture, start, rows, columns, channels, 8 * (packed[0] >> 3 & 3) + 8, signed, little, padding, frames
        )
        if grid.fits(size) and (frames > 1) == video and (picture or not video) and grid.pack() == packed:
            return grid
    raise ChecksumError("the layout of its samples is impossible, or of a newer tokpress")
